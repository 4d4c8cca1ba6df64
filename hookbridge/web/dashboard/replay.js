// Which events are replayed: all that match the list's filters, those of a group of dead letters, or those selected.

import { closeDialog, openDialog } from "./dialog.js";
import { button, element, plural } from "./format.js";
import { doInRounds } from "./rounds.js";

export const REPLAY = {
  path: "api/v1/events/replay",
  verb: "Replay",
  done: "replayed",
  titled: (matching) => `Replay ${plural(matching, "event")}`,
  text: "Dead letters are open again; what was applied or coalesced comes in anew. What is open or was ignored is left alone.",
  after: "The lanes process them now.",
  nothing: "No event that was applied, coalesced or is dead is among them.",
};

// Which events the API should replay for the list's filters, or why it should not: it knows no filter by state, and a
// filter that is left out must never become "everything".
export function replayOf(filters) {
  const { state, ...which } = Object.fromEntries(filters);
  if (state === "open") return { refusal: "Only settled events can be replayed, and the list shows open ones: they are processed anyway." };
  if (Object.keys(which).length) return { body: which };
  if (state) return { refusal: "“Settled” alone is the whole inbox. Choose an outcome or another filter; without any filter, all events are replayed." };
  return { body: { all: true } };
}

export async function replayMatching(filters, done) {
  const { body, refusal } = replayOf(filters);
  if (!refusal) return doInRounds(REPLAY, body, done);
  const close = button("Close", closeDialog, { className: "main" });
  openDialog("Nothing to replay", [element("p", refusal)], [close]);
  close.focus();
  return undefined;
}
