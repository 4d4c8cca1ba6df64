// An action ends when its event has: what came of it is told where the reader is.

import { NeedsToken, call, recordPath, text } from "./api.js";
import { $, button, element, foreign } from "./format.js";
import { content, member } from "./json.js";
import { saySo } from "./panel.js";
import { isUnverified, verificationOf } from "./words.js";

const FIRST_WAIT_MS = 150;
const LONGEST_WAIT_MS = 2000;
const PATIENCE_MS = 120_000;

const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

// The event when it is settled, or as it is when `goesOn` says that nobody waits any more.
async function settled(id, goesOn) {
  const end = Date.now() + PATIENCE_MS;
  for (let wait = FIRST_WAIT_MS; ; wait = Math.min(wait * 1.5, LONGEST_WAIT_MS)) {
    const event = await call("GET", `api/v1/events/${id}`);
    if (event.outcome !== null || Date.now() > end || !goesOn()) return event;
    await sleep(wait);
  }
}

const nameOf = ({ source, table, id }) => new URLSearchParams({ source, table, record_id: id, limit: 1 });

// What is known of a record: its line in the list, or null.
export async function known(record) {
  const copied = await call("GET", `api/v1/records?${nameOf(record)}`);
  if (copied.records.length) return copied.records[0];
  const waiting = await call("GET", `api/v1/records?${nameOf(record)}&state=waiting`);
  return waiting.records[0] ?? null;
}

// The copy's data as it is written; null when there is none, undefined when it could not be asked for.
export async function copyOf(record) {
  try {
    if (!(await known(record))?.present) return null;
    return member(await text("GET", recordPath(record.source, record.table, record.id)), "data");
  } catch (error) {
    if (error instanceof NeedsToken) throw error;
    return undefined;
  }
}

// The newest event of a record, of those that came by `origin` where it is given.
export async function newest(record, origin) {
  const asked = nameOf(record);
  if (origin) asked.set("origin", origin);
  return (await call("GET", `api/v1/events?${asked}`)).events[0] ?? null;
}

function result(event, before, after) {
  if (event.outcome === null) return ["It still waits; the list shows when it has ended.", "warn"];
  if (event.outcome === "dead") return [`Dead: ${event.reason ?? "no reason was kept"}`, "bad"];
  if (event.outcome === "ignored") return [`Ignored: ${event.reason ?? "no reason was kept"}`, ""];
  const found = event.verification ? verificationOf(event) : "settled together with a later event";
  return [`${capital(found)}; ${change(before, after)}`, isUnverified(event) ? "warn" : "good"];
}

function change(before, after) {
  if (before === undefined || after === undefined) return "its copies could not be compared";
  if (before === null && after === null) return "there was no copy and there is none";
  if (before === null) return "the copy is new";
  if (after === null) return "the copy is removed";
  return content(before) === content(after) ? "the copy was equal" : "the copy has changed";
}

const capital = (words) => words[0].toUpperCase() + words.slice(1);

// Tell what is known of the event, now and when it has ended, as long as `goesOn` says that somebody waits.
export async function followTo(tell, { id, record, before, known = "" }, changed, goesOn = () => true) {
  tell(`on disk${known}, waits for its turn…`, "");
  changed();
  try {
    const event = await settled(id, goesOn);
    const after = record && await copyOf(record);
    if (goesOn()) tell(...result(event, before, after));
  } catch (error) {
    tell(error.message, "bad");
  }
  changed();
}

// Tell what becomes of an event, wherever one looks.
export function follow({ keys, ...made }, { changed, openEvent }) {
  const link = () => button(`Event ${made.id}`, () => openEvent(made.id), { className: "link" });
  return followTo((words, level) => tellIn(keys, [link(), ": ", foreign(words)], level), made, changed);
}

// What came of an action, in the panels of these keys, or in a note at the edge when none of them is open.
export function tellIn(keys, line, level = "") {
  if (!keys.map((key) => saySo(key, line, level)).some(Boolean)) note(line, level);
}

function note(content, level) {
  $("note").className = level;
  $("note").replaceChildren(element("span", content), button("×", () => $("note").replaceChildren(), { "aria-label": "Close the note" }));
}
