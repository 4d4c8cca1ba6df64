// Dead letters by their reasons: the list of groups, and the panel of one, where it is replayed or dismissed.

import { call } from "./api.js";
import { SOURCE, TABLE, plain, when, word } from "./cells.js";
import { button, count, element, foreign, moment, plural, visible } from "./format.js";
import { lookAtWhole } from "./latest.js";
import { said } from "./panel.js";
import { askedOf, rangeFields } from "./range.js";
import { REPLAY } from "./replay.js";
import { doInRounds } from "./rounds.js";
import { heading } from "./sections.js";

const PATH = "api/v1/events/dead";
const NO_REASON = "They died without a reason, by which a group is named: choose them in the list of events.";

export const DISMISS = {
  path: "api/v1/events/dismiss",
  verb: "Dismiss",
  done: "dismissed",
  titled: (matching) => `Dismiss ${plural(matching, "dead letter")}`,
  text: "They are given up: ignored from now on, in the books as well, and nobody can replay them any more. The next change of such a record is processed as any other.",
  note: "Why (it is kept with them)",
  after: "They count as ignored.",
  nothing: "There is no dead letter among them any more.",
};

const whichOf = (reason, scope) => ({ ...Object.fromEntries(scope), outcome: "dead", reason });

const deadKey = (reason) => `dead:${reason}`;

function tables({ tables: all }) {
  return [all.flatMap((of, place) => [place ? ", " : "", foreign(of.table_label), ` ${count(of.count)}`]), all.map((of) => `${of.table}: ${of.count}`).join("\n")];
}

export const dead = {
  path: PATH,
  rows: "groups",
  whole: true,
  filters: [SOURCE, TABLE, ["origin", "Origin", ["webhook", "pull", "poll", "sweep", "replay"]], ["record_id", "Record"], ["span", "Received", rangeFields], ["q", "Text"]],
  asks: (filters) => askedOf(filters),
  columns: () => plain("How many", "Reason", "Tables", "First died", "Last died"),
  opens: 1,
  how: 0,
  key: ({ reason }) => deadKey(reason),
  name: ({ reason }) => deadKey(reason),
  cells: (one) => [word(count(one.count)), word(one.reason || "(no reason)"), tables(one), when(one.first_at), when(one.last_at)],
  look: lookAtWhole,
  gone: { count: 0 },
  matches: ({ count: left }) => left > 0,
  again: ({ reason }, hooks) => reason && replayGroup(whichOf(reason, hooks.scope()), hooks),
  dismiss: ({ reason }, hooks) => reason && dismissGroup(whichOf(reason, hooks.scope()), hooks),
  panel: (one, hooks) => groupPanel(one.reason, hooks),
  empty: (narrowed) => narrowed
    ? "No dead letter matches. Fewer filters show more."
    : "There is no dead letter. What a handler or a source has refused at every attempt is gathered here by its reason, to be replayed when that is mended, or dismissed.",
};

// Of the filters that the list has when it is opened.
export function groupPanel(reason, hooks) {
  const scope = hooks.scope();
  return { key: deadKey(reason), build: () => build(reason, scope, hooks) };
}

async function build(reason, scope, hooks) {
  const asked = new URLSearchParams(scope);
  if (reason) asked.set("reason", reason);
  const { groups } = await call("GET", `${PATH}?${asked}`);
  const group = groups.find((one) => one.reason === reason);
  if (!group) return { title: "No dead letter is left", parts: [element("p", foreign(reason)), said()], live: true };
  const which = whichOf(reason, scope);
  return {
    title: plural(group.count, "dead letter"),
    live: true,
    parts: [
      element("p", foreign(group.newest_reason || "(no reason)"), { className: "reason bad" }),
      element("p", ["First died ", moment(group.first_at), ", last ", moment(group.last_at), ": ", button(`event ${group.newest}`, () => hooks.openEvent(group.newest), { className: "link" })], { className: "soft" }),
      element("div", [...deeds(which, hooks), button("Their events", () => hooks.showEvents(new URLSearchParams(which)), { id: "its-events", disabled: !reason })], { className: "buttons" }),
      reason ? null : element("p", NO_REASON),
      said(),
      heading("Tables"), element("ul", group.tables.map((of) => tableLine(of, which, group, hooks)), { className: "tables" }),
      others(group),
    ],
  };
}

export const replayGroup = (which, hooks) => doInRounds(REPLAY, which, hooks.changed);
export const dismissGroup = (which, hooks) => doInRounds(DISMISS, which, hooks.changed);

function deeds(which, hooks, of = "") {
  return [["Replay…", replayGroup], ["Dismiss…", dismissGroup]].map(([text, act]) =>
    button(text, () => act(which, hooks), { disabled: !which.reason, "aria-label": of ? `${text} (${visible(of)})` : null }));
}

function tableLine(of, which, { tables: all }, hooks) {
  const narrowed = { ...which, source: of.source, table: of.table };
  return element("li", [
    element("span", [foreign(of.table_label), " ", element("span", of.source, { className: "soft" })], { title: visible(of.table) }),
    element("span", count(of.count)),
    element("span", ["last ", moment(of.last_at)], { className: "soft" }),
    element("span", all.length > 1 ? deeds(narrowed, hooks, of.table_label) : []),
  ]);
}

function others({ count: all, tables: shown }) {
  const left = all - shown.reduce((sum, of) => sum + of.count, 0);
  return left ? element("p", `and ${plural(left, "dead letter")} of other tables`, { className: "soft" }) : null;
}
