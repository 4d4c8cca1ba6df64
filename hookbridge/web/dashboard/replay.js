// Replay of all that match: counted first, then page by page, so that there is progress to see and a moment to stop.

import { call, curl, curlLoop } from "./api.js";
import { copyable } from "./copying.js";
import { closeDialog, openDialog, sayIn, status } from "./dialog.js";
import { button, count, element, plural } from "./format.js";

const PAGE = 500;
const PATH = "api/v1/events/replay";
const TEXT = "Dead letters are open again; what was applied or coalesced comes in anew. What is open or was ignored is left alone.";

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
  if (refusal) return nothing(refusal);
  const matching = await counted(body);
  if (matching === null) return undefined;
  if (!matching) return nothing("No event that was applied, coalesced or is dead matches these filters.");
  return new Replaying(body, matching, done).open();
}

// How many match; null when that is not known, or nobody waits for it any more.
async function counted(body) {
  const said = status();
  const dialog = openDialog("Replay all that match", [said], [button("Cancel", closeDialog)]);
  const closed = new AbortController();
  dialog.addEventListener("close", () => closed.abort(), { once: true });
  sayIn(said, "Counting…");
  try {
    const { matching } = await call("POST", PATH, { ...body, dry_run: true }, { signal: closed.signal });
    return dialog.open && said.isConnected ? matching : null;
  } catch (error) {
    sayIn(said, error.message, "bad");
    return null;
  }
}

function nothing(text) {
  const close = button("Close", closeDialog, { className: "main" });
  openDialog("Nothing to replay", [element("p", text)], [close]);
  close.focus();
}

class Replaying {
  constructor(body, matching, done) {
    this.body = { ...body, limit: PAGE };
    this.matching = matching;
    this.done = done;
    this.replayed = 0;
    this.cursor = null;
    this.runs = false;
    this.said = status();
    this.progress = element("progress", [], { max: matching, value: 0, hidden: true, "aria-label": "Replayed" });
    this.left = button("Cancel", closeDialog);
    this.right = button(`Replay ${count(matching)}`, () => this.#run(), { className: "main" });
  }

  open() {
    const shown = this.matching > PAGE ? curlLoop(PATH, this.body) : curl("POST", PATH, this.body);
    const dialog = openDialog(`Replay ${plural(this.matching, "event")}`,
      [element("p", TEXT), copyable(shown), this.progress, this.said], [this.left, this.right]);
    // Escape stops first; what has been replayed is to be read before the dialog goes.
    dialog.oncancel = (press) => {
      if (!this.runs) return;
      press.preventDefault();
      this.runs = false;
    };
    this.right.focus();
  }

  // From where it stood, so that a stop or a failure costs nothing.
  async #run() {
    this.runs = true;
    this.progress.hidden = false;
    this.#buttons(["Stop", () => { this.runs = false; }], null);
    this.left.focus();
    try {
      do {
        const page = await call("POST", PATH, { ...this.body, ...(this.cursor ? { cursor: this.cursor } : {}) });
        this.replayed += page.replayed;
        this.cursor = page.next_cursor;
        this.progress.value = this.replayed;
        sayIn(this.said, `${count(this.replayed)} of ${count(this.matching)} replayed`);
      } while (this.runs && this.cursor !== null);
      this.#ended(this.cursor === null ? null : "Stopped.");
    } catch (error) {
      this.#ended(error.message, "bad");
    }
    this.runs = false;
    this.done();
  }

  #ended(why, level = "") {
    const so = `${plural(this.replayed, "event")}${why ? ` of ${count(this.matching)}` : ""} replayed`;
    sayIn(this.said, why ? `${why} ${so}.` : `${so}. The lanes process them now.`, why ? level : "good");
    this.#buttons(["Close", closeDialog], why ? ["Go on", () => this.#run()] : null);
    (why ? this.right : this.left).focus();
  }

  #buttons(left, right) {
    [this.left.textContent, this.left.onclick] = left;
    this.right.hidden = right === null;
    if (right) [this.right.textContent, this.right.onclick] = right;
  }
}
