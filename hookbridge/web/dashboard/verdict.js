// Is it healthy? One sentence, and everything that needs somebody, worst first, with what to do. It claims no more than
// what has been seen: "converged" takes credentials, loaded tables and a comparison that is not long ago.

import { ago, lasting, plural, since } from "./format.js";
import { CREDENTIALS, DOWN, PAUSED, REFUSED, SECTIONS, UP, stateOfLane } from "./words.js";

const LATE_SECONDS = 60; // an open event that is older waits for something
const POLL_GAPS = 3; // so many gaps without a complete poll are too many
const SWEEP_SECONDS = 26 * 3600;

const bad = (text, todo, more = {}) => ({ level: "bad", text, todo, ...more });
const warn = (text, todo, more = {}) => ({ level: "warn", text, todo, ...more });
const DEAD = { label: "Show them", view: "events", filters: { outcome: "dead" } };
const OPEN = { label: "Show them", view: "events", filters: { state: "open" } };

export function problems(ready, stats) {
  const found = [
    ...whole(ready, stats),
    ...ready.lanes.flatMap((lane) => [...ofLane(lane), ...waiting(lane)]),
    ...deadLetters(stats.books.dead),
    ...ready.tables.flatMap((table) => ofTable(table)),
    ...late(ready, stats),
    ...ready.warnings.map((text) => warn("", text)),
  ];
  return [...found.filter((one) => one.level === "bad"), ...found.filter((one) => one.level === "warn")];
}

function whole(ready, stats) {
  if (ready.store_fault) return [bad("The data file cannot be relied on: webhooks are refused", `${ready.store_fault.reason}. ${ready.store_fault.remedy}.`)];
  if (!ready.inbox_writable) return [bad("The inbox cannot be written: webhooks are refused", "Look at the disk and at the rights of the data folder. Senders that try again lose nothing.")];
  if (!ready.ready) return [bad("Webhooks are refused: the disk is nearly full, or the service is stopping", "Free space on the disk of the data folder.")];
  if (!stats.books_balanced) return [bad("The books do not balance", "This is a mistake of hookbridge: keep a copy of the data folder and report it.")];
  return [];
}

function ofLane(lane) {
  const state = stateOfLane(lane);
  const why = lane.reason ? `${lane.reason}. ` : "";
  const lasts = since(lane.since) >= 1 ? ` for ${lasting(since(lane.since))}` : "";
  if (state === REFUSED) return [bad(`${lane.source} refuses our key${lasts}`, `${why}Set ${CREDENTIALS[lane.source]} to one that may read, and restart. Its events wait.`)];
  if (state === DOWN) return [warn(`${lane.source} is down${lasts}`, `${why}It is asked again and again; its events wait and lose no attempt.`)];
  if (state === PAUSED) return [warn(`${lane.source} is paused${lasts}`, "Resume it when it may go on. Its events wait.")];
  return [];
}

function waiting(lane) {
  return lane.waiting.map((table) => warn(`${table.table} cannot be read: its records wait`, `${table.reason}. ${table.hint ? `Try: ${table.hint}. ` : ""}It is asked for again and again.`));
}

function deadLetters(dead) {
  if (!dead) return [];
  return [bad(plural(dead, "dead letter"), "Look at the reason, repair what it names, then replay them.", { link: DEAD })];
}

function ofTable(table) {
  const name = table.source === "notion" ? "A database of notion" : table.table; // the id of one says nothing in a headline
  const which = table.source === "notion" ? `${table.table}: ` : "";
  if (table.state === "unconfirmed") return [bad(`${name}: deletions wait for you`, `${which}${table.reason}, with POST /api/v1/reconcile, kind “sweep” and “confirm”.`)];
  if (table.state === "failing") return [warn(`${name} cannot be compared`, `${which}${table.reason}. It is tried again and again.`)];
  if (table.state === "following" && !fresh(table)) return [warn(`${name} was last compared ${ago(since(compared(table)))}`, `${which}Changes since then that no webhook told are not known yet.`)];
  return [];
}

function late(ready, stats) {
  const age = stats.oldest_open_event_age_seconds;
  // A lane that stands still has said so already, and why.
  const known = ready.lanes.some((lane) => stateOfLane(lane) !== UP);
  if (age === null || age <= LATE_SECONDS || known) return [];
  return [warn(`The oldest open event waits for ${lasting(age)}`, "Attempts that fail, a slow source or handler, or more than can be done.", { link: OPEN })];
}

const compared = (table) => (table.poll_gap_seconds === null ? table.last_sweep_at : table.last_poll_at);

function fresh(table) {
  const age = since(compared(table));
  const limit = table.poll_gap_seconds === null ? SWEEP_SECONDS : Math.max(LATE_SECONDS, POLL_GAPS * table.poll_gap_seconds);
  return age !== null && age <= limit;
}

// -------------------------------------------------------------------------------------------------------- the sentence

// { level, kind, text, todo }: the kind changes when the verdict does, the text also when a figure does.
export function verdict(ready, stats) {
  const [worst] = problems(ready, stats).filter((one) => one.text); // a warning is no state
  if (worst) return { ...worst, kind: worst.text.replace(/[\d\u202f]+/g, "") };
  return quiet(ready, stats);
}

function quiet(ready, stats) {
  const filling = ready.tables.find((one) => one.state === "backfilling");
  if (filling) {
    const of = filling.total === null ? "" : ` of ${filling.total.toLocaleString("en-US")}`;
    return { level: "busy", kind: `backfilling ${filling.table}`, text: `Backfilling ${filling.source === "notion" ? "a database of notion" : filling.table}: ${filling.listed.toLocaleString("en-US")}${of}` };
  }
  if (stats.books.open) return { level: "busy", kind: "working", text: `Working on ${plural(stats.books.open, "event")}` };
  const used = ready.lanes.filter((lane) => stats.events_by_source[lane.source] || tablesOf(ready, lane).length);
  if (!used.length) return { level: "idle", kind: "nothing", text: "Nothing received yet" };
  const blind = used.filter((lane) => !lane.has_credentials).map((lane) => lane.source);
  if (blind.length) return { level: "idle", kind: `blind ${blind}`, text: `All settled, not verified: no credentials for ${blind.join(" and ")}` };
  const alone = used.filter((lane) => !tablesOf(ready, lane).length).map((lane) => lane.source);
  if (alone.length) return { level: "idle", kind: `alone ${alone}`, text: `All settled, not compared: no table of ${alone.join(" and ")} is followed` };
  return { level: "good", kind: "converged", text: "Converged: every event is settled" };
}

const tablesOf = (ready, lane) => ready.tables.filter((table) => table.source === lane.source);

// What is not wrong, but would be better otherwise; and what the verdict rests on.
export function notes(ready, stats) {
  const said = [];
  if (!ready.lanes.some((lane) => stats.events_by_source[lane.source])) said.push("No event has come in yet. “Send a test event” makes one.");
  for (const lane of ready.lanes) {
    const used = stats.events_by_source[lane.source] || tablesOf(ready, lane).length;
    if (used && !lane.has_credentials) said.push(`Set ${CREDENTIALS[lane.source]}: then every event of ${lane.source} is verified against it.`);
    else if (used && !tablesOf(ready, lane).length) said.push(`List tables under ${SECTIONS[lane.source]} in config.toml: then lost webhooks of ${lane.source} are found.`);
  }
  for (const table of ready.tables.filter((one) => one.state === "following")) {
    said.push(`${table.table}: compared ${ago(since(compared(table)))}, completely ${ago(since(table.last_sweep_at))}.`);
  }
  return said;
}
