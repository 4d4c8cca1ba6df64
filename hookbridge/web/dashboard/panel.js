// The side panel: an event with its way, or a record with its truth.

import { call, recordPath, REPLAYABLE } from "./api.js";
import { replayOne, verifyRecord } from "./actions.js";
import { $, CLASSES, button, clock, duration, element, json } from "./format.js";

let opener = null;

export function closePanel() {
  if ($("panel").hidden) return false;
  $("panel").hidden = true;
  document.body.classList.remove("split");
  opener?.focus();
  return true;
}

function show(title, parts) {
  $("panel").replaceChildren(
    element("div", [element("h2", title), button("×", closePanel, { "aria-label": "Close" })], { className: "head" }),
    ...parts,
  );
  $("panel").hidden = false;
  $("panel").scrollTop = 0;
  document.body.classList.add("split");
}

const heading = (text) => element("h3", text);
const pre = (value) => element("pre", typeof value === "string" ? value : json(value));

export async function openEvent(summary, row, changed) {
  opener = row;
  const event = await call("GET", `api/v1/events/${summary.id}`);
  const state = event.outcome ?? event.state;
  const record = { source: event.source, table: event.table, id: event.record_id };
  const said = [event.type, `by ${event.origin}`, event.format, event.verification, attempts(event.attempts)].filter(Boolean).join(" · ");
  show(`Event ${event.id}`, [
    element("p", [element("strong", `${event.source}:${event.table}:${event.record_id}`)]),
    element("p", [element("span", state, { className: CLASSES[state] ?? "" }), ` · ${said}`]),
    event.reason ? element("p", event.reason, { className: "reason" }) : null,
    buttons(event, record, changed),
    heading("Way"), way(event),
    ...failures(event.failures),
    heading("Copy and truth"), ...truth(record),
    heading("Body"), pre(event.body),
    heading("Headers"),
    event.headers ? pre(Object.entries(event.headers).map(([name, value]) => `${name}: ${value}`).join("\n"))
      : element("p", "It came without a request.", { className: "soft" }),
  ].filter(Boolean));
}

const attempts = (number) => (number === 0 ? null : number === 1 ? "1 attempt" : `${number} attempts`);

function buttons(event, record, changed) {
  const again = button("Process again", () => replayOne(event, changed), { id: "replay", disabled: !REPLAYABLE.includes(event.outcome) });
  return element("div", [again, button("Read the record now", () => verifyRecord(record, changed))], { className: "buttons" });
}

function way(event) {
  const steps = [["received", event.received_at], ["stored", event.stored_at], ["claimed", event.claimed_at],
    ["verified", event.verified_at], [event.outcome ?? "settled", event.settled_at]];
  let before = null;
  return element("ol", steps.map(([name, at]) => {
    const took = at && before ? `+${duration((new Date(at) - new Date(before)) / 1000)}` : "";
    before = at ?? before;
    return element("li", [element("span", name), element("time", clock(at)), element("span", took, { className: "soft" })], { className: at ? "" : "soft" });
  }), { className: "way" });
}

function failures(list) {
  if (!list.length) return [];
  const lines = list.map((one) => element("li", [
    element("strong", `Attempt ${one.attempt}`), ` at ${clock(one.began_at)}, after ${duration((new Date(one.ended_at) - new Date(one.began_at)) / 1000)}: `,
    element("span", one.error, { className: "bad" }),
  ]));
  return [heading("Attempts that failed"), element("ul", lines, { className: "failures" })];
}

// Only when asked for: it reads the source.
function truth(record) {
  const shown = element("div", [], { id: "diff" });
  const compare = button("Compare now", async () => {
    compare.disabled = true;
    try {
      shown.replaceChildren(...difference(await call("GET", `${recordPath(record.source, record.table, record.id)}/diff`)));
    } catch (error) {
      shown.replaceChildren(element("p", error.message, { className: "bad" }));
    }
    compare.disabled = false;
  }, { id: "compare" });
  return [compare, shown];
}

function difference(found) {
  if (found.agrees) {
    const text = found.truth === null ? "Neither has such a record." : "Copy and source are equal.";
    return [element("p", text, { className: "good" })];
  }
  const lines = found.differences.flatMap((one) => [
    "copy" in one ? element("del", `- ${one.path}: ${JSON.stringify(one.copy)}`) : null,
    "truth" in one ? element("ins", `+ ${one.path}: ${JSON.stringify(one.truth)}`) : null,
  ]);
  const note = element("p", "− the copy, + the source", { className: "soft" });
  return [note, element("pre", lines.filter(Boolean), { className: "diff" })];
}

export async function openRecord(record, row, changed, showEvents) {
  opener = row;
  const found = record.present ? await call("GET", recordPath(record.source, record.table, record.id)) : null;
  const read = record.read_at ? `read at ${clock(record.read_at)}` : "not read yet";
  show(record.id, [
    element("p", [element("strong", `${record.source}:${record.table}`)]),
    element("p", `${stateOf(record)} · ${read}${record.verified === false ? " · as a webhook said, unverified" : ""}`),
    element("div", [
      button("Read it now", () => verifyRecord(record, changed), { id: "verify" }),
      button("Its events", () => showEvents(record)),
    ], { className: "buttons" }),
    heading("Copy and truth"), ...truth(record),
    heading("Copy"), found ? pre(found.data) : element("p", "There is no data.", { className: "soft" }),
  ]);
}

export const stateOf = (record) => (record.waiting_since ? "waiting" : record.present ? "present" : "absent");

export function openRejected(one, row) {
  opener = row;
  show(`Refused with ${one.status}`, [
    element("p", [element("strong", one.reason, { className: "bad" })]),
    element("p", one.message),
    element("dl", [["At", clock(one.at)], ["Endpoint", one.endpoint], ["From", one.peer ?? "unknown"], ["Bytes", one.bytes ?? "unknown"]]
      .map(([name, value]) => element("div", [element("dt", name), element("dd", String(value))]))),
    element("p", "Nothing of a refused webhook is kept but this: no body, no header.", { className: "soft" }),
  ]);
}
