// The list of destinations: how each stands who is told of every change, and how to have one.

import { plain, state, word } from "./cells.js";
import { copyable } from "./copying.js";
import { destinationKey, destinationPanel, dismissRejected, replayRejected } from "./destination.js";
import { count, element, lasting, until } from "./format.js";
import { lookAtWhole } from "./latest.js";
import { GONE, PAUSED, doingOf, stateOfDestination } from "./words.js";

const SECTION = `[[destinations]]
name = "search"
url = "https://search.internal.example.com/changes"
secret = "{env:SEARCH_SECRET}"`;

const SECRET = `python3 -c 'import base64, os; print("SEARCH_SECRET=whsec_" + base64.b64encode(os.urandom(32)).decode())' >> .env`;

const guide = () => [
  element("p", "There is no destination: nothing that changes is sent to anybody. To have each change POSTed to a URL of yours, signed and in order, name it in config.toml:"),
  copyable(SECTION, "The section of config.toml"),
  element("p", "and its secret in .env, then start anew. It is told everything that there is, and then each change."),
  copyable(SECRET, "The command that makes a secret"),
  element("p", "docs/destinations.md says what comes and what to answer. Whoever would rather ask reads GET /api/v1/changes."),
];

const NOTHING = ["", ""];
const figure = (value, written) => (value === null ? NOTHING : [written(value), ""]);

export const destinations = {
  path: "api/v1/destinations",
  rows: "destinations",
  whole: true,
  filters: [],
  asks: () => new URLSearchParams(),
  columns: () => [
    ...plain("Destination", "Leads to"),
    ...["Changes behind", "Waiting for", "Next try", "Delivered", "Rejected"].map((name) => ({ name, kind: "figure" })),
    ...plain("Last error", "State"),
  ],
  opens: 0,
  how: 8,
  key: ({ name }) => destinationKey(name),
  name: ({ name }) => destinationKey(name),
  cells: (one) => [
    word(one.name), word(one.url), figure(one.changes_behind, count), figure(one.behind_seconds || null, lasting), figure(one.next_try_at, until), figure(one.delivered, count),
    [element("span", count(one.rejected), { className: one.rejected ? "bad" : "" }), ""], one.state === PAUSED || one.reason === null ? NOTHING : word(one.reason), state(stateOfDestination(one), doingOf(one)),
  ],
  look: lookAtWhole,
  gone: { state: GONE, reason: null, next_try_at: null },
  matches: (one) => one.state !== GONE,
  again: (one, hooks) => one.rejected && replayRejected(one, hooks),
  dismiss: (one, hooks) => one.rejected && dismissRejected(one, hooks),
  panel: (one, hooks) => destinationPanel(one.name, hooks),
  empty: guide,
};
