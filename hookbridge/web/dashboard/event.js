// The panel of an event: how it came, its way, what failed, and the record behind it.

import { REPLAYABLE, text } from "./api.js";
import { eventKey, recordOf, replayOne, verifyRecord } from "./actions.js";
import { called, placed } from "./cells.js";
import { CLASSES, button, element, foreign, moment, plural, took } from "./format.js";
import { member, pretty } from "./json.js";
import { said } from "./panel.js";
import { block, comparison, heading } from "./sections.js";
import { UNVERIFIED, isUnverified, stateOfEvent } from "./words.js";

export const eventPanel = (id, hooks) => ({ key: eventKey(id), build: () => build(id, hooks) });

async function build(id, hooks) {
  const answered = await text("GET", `api/v1/events/${id}`);
  const event = JSON.parse(answered);
  const record = recordOf(event);
  return {
    title: `Event ${event.id}`,
    live: event.outcome === null || event.outcome === "dead",
    parts: [
      element("p", [element("span", called(event.title, event.record_id), { className: "name" }), element("br"), placed(event)]),
      state(event),
      element("p", foreign(event.reason ?? ""), { className: `reason ${event.outcome === "dead" ? "bad" : ""}`, hidden: !event.reason }), // it may come, and moves no button
      buttons(event, record, hooks), said(),
      heading("Timeline"), timeline(event),
      ...failures(event.failures),
      heading("Copy and source"), comparison(record),
      heading("Body"), body(member(answered, "body")),
      heading("Headers"), headers(event.headers),
    ],
  };
}

function state(event) {
  const name = stateOfEvent(event);
  const facts = [event.type, `by ${event.origin}`, event.format, event.verification, event.attempts ? plural(event.attempts, "attempt") : null];
  return element("p", [element("span", name, { className: `state ${CLASSES[name] ?? ""}` }), " ", foreign(facts.filter(Boolean).join(" · "))]);
}

function buttons(event, record, hooks) {
  const why = { ignored: "An ignored event is not replayed", null: "It is open: it will be processed" }[event.outcome] ?? null;
  return element("div", [
    button("Replay", () => replayOne(event, hooks), { id: "replay", disabled: !REPLAYABLE.includes(event.outcome), title: why }),
    button("Verify now", () => verifyRecord(record, [eventKey(event.id)], hooks), { id: "verify" }),
    button("Its record", () => hooks.openRecord(record), { id: "its-record" }),
    button("Its events", () => hooks.eventsOf(record), { id: "its-events" }),
  ], { className: "buttons" });
}

function timeline(event) {
  const steps = [["received", event.received_at], ["stored", event.stored_at], ["claimed", event.claimed_at],
    verification(event), [event.outcome ?? "settled", event.settled_at]];
  let before = null;
  const lines = steps.map(([name, at]) => {
    const passed = at && before ? `+${took((new Date(at) - new Date(before)) / 1000)}` : "";
    before = at ?? before;
    return element("li", [element("span", name), element("span", moment(at)), element("span", passed, { className: "soft" })], { className: at ? "" : "pending" });
  });
  return element("ol", lines, { className: "timeline" });
}

// What the source's answer said, and when it was there.
function verification(event) {
  if (isUnverified(event)) return [UNVERIFIED, null];
  return [event.verification ?? "verified", event.verified_at];
}

function failures(list) {
  if (!list.length) return [];
  const lines = list.map((one) => element("li", [
    element("strong", `Attempt ${one.attempt}`), " at ", moment(one.began_at), `, after ${took((new Date(one.ended_at) - new Date(one.began_at)) / 1000)}: `,
    foreign(one.error, { className: "bad" }), one.traceback ? block(one.traceback) : null,
  ]));
  return [heading("Attempts that failed"), element("ul", lines, { className: "failures" })];
}

const body = (written) =>
  written === "null" ? element("p", "It came without a body: the reconciler raised it.", { className: "soft" }) : block(pretty(written));

const headers = (named) => named
  ? block(Object.entries(named).map(([name, value]) => `${name}: ${value}`).join("\n"))
  : element("p", "It came without a request.", { className: "soft" });
