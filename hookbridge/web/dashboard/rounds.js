// What is done to all events that match: they are counted first, then it is done page by page, so that there is progress
// to see and a moment to stop.

import { call, curl, curlLoop } from "./api.js";
import { copyable } from "./copying.js";
import { closeDialog, openDialog, sayIn, status } from "./dialog.js";
import { button, count, element, plural } from "./format.js";

const PAGE = 500;
const NOTE_MAX = 500;

// `done` is told whether it was done to all of them. A deed is its path, its words, and whether a note goes with it: see REPLAY and DISMISS.
export async function doInRounds(deed, body, done) {
  const matching = await counted(deed, body);
  if (matching === null) return undefined;
  if (!matching) return nothing(deed);
  return new Rounds(deed, body, matching, done).open();
}

// How many match; null when that is not known, or nobody waits for it any more.
async function counted(deed, body) {
  const said = status();
  const dialog = openDialog(`${deed.verb} all that match`, [said], [button("Cancel", closeDialog)]);
  const closed = new AbortController();
  dialog.addEventListener("close", () => closed.abort(), { once: true });
  sayIn(said, "Counting…");
  try {
    const { matching } = await call("POST", deed.path, { ...body, dry_run: true }, { signal: closed.signal });
    return dialog.open && said.isConnected ? matching : null;
  } catch (error) {
    sayIn(said, error.message, "bad");
    return null;
  }
}

function nothing({ verb, nothing: text }) {
  const close = button("Close", closeDialog, { className: "main" });
  openDialog(`Nothing to ${verb.toLowerCase()}`, [element("p", text)], [close]);
  close.focus();
}

class Rounds {
  constructor(deed, body, matching, done) {
    this.deed = deed;
    this.body = { ...body, limit: PAGE };
    this.matching = matching;
    this.done = done;
    this.count = 0;
    this.cursor = null;
    this.runs = false;
    this.all = false; // whether nothing is left of them
    this.said = status();
    this.progress = element("progress", [], { max: matching, value: 0, hidden: true, "aria-label": `${deed.done[0].toUpperCase()}${deed.done.slice(1)}` });
    this.note = deed.note ? this.#noteField() : null;
    this.call = copyable(this.#shown());
    this.left = button("Cancel", closeDialog);
    this.right = button(`${deed.verb} ${count(matching)}`, () => this.#run(), { className: "main" });
  }

  open() {
    const { deed } = this;
    const note = this.note && element("label", [deed.note, " ", this.note], { className: "noted" });
    const dialog = openDialog(deed.titled(this.matching), [element("p", deed.text), note, this.call, this.progress, this.said].filter(Boolean), [this.left, this.right]);
    // Escape stops first; what has been done is to be read before the dialog goes.
    dialog.oncancel = (press) => {
      if (!this.runs) return;
      press.preventDefault();
      this.runs = false;
    };
    (this.note ?? this.right).focus();
  }

  #noteField() {
    const field = element("input", [], { type: "text", name: "note", maxLength: NOTE_MAX, autocomplete: "off" });
    field.addEventListener("input", () => {
      const { note: _, ...body } = this.body;
      this.body = field.value.trim() ? { ...body, note: field.value.trim() } : body;
      this.call.firstChild.textContent = this.#shown();
    });
    field.addEventListener("keydown", (press) => { if (press.key === "Enter") press.preventDefault(); }); // it is no way to do it
    return field;
  }

  #shown() {
    return this.matching > PAGE ? curlLoop(this.deed.path, this.body) : curl("POST", this.deed.path, this.body);
  }

  // From where it stood, so that a stop or a failure costs nothing.
  async #run() {
    this.runs = true;
    this.progress.hidden = false;
    if (this.note) this.note.disabled = true;
    this.#buttons(["Stop", () => { this.runs = false; }], null);
    this.left.focus();
    try {
      do {
        const page = await call("POST", this.deed.path, { ...this.body, ...(this.cursor ? { cursor: this.cursor } : {}) });
        this.count += page[this.deed.done];
        this.cursor = page.next_cursor;
        this.progress.value = this.count;
        sayIn(this.said, `${count(this.count)} of ${count(this.matching)} ${this.deed.done}`);
      } while (this.runs && this.cursor !== null);
      this.#ended(this.cursor === null ? null : "Stopped.");
    } catch (error) {
      this.#ended(error.message, "bad");
    }
    this.runs = false;
    this.done(this.all);
  }

  #ended(why, level = "") {
    this.all = why === null;
    const so = `${plural(this.count, "event")}${why ? ` of ${count(this.matching)}` : ""} ${this.deed.done}`;
    sayIn(this.said, why ? `${why} ${so}.` : `${so}. ${this.deed.after}`, why ? level : "good");
    this.#buttons(["Close", closeDialog], why ? ["Go on", () => this.#run()] : null);
    (why ? this.right : this.left).focus();
  }

  #buttons(left, right) {
    [this.left.textContent, this.left.onclick] = left;
    this.right.hidden = right === null;
    if (right) [this.right.textContent, this.right.onclick] = right;
  }
}
