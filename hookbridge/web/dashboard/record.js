// The panels of a record, and of a refused webhook.

import { recordPath, text } from "./api.js";
import { recordKey, verifyRecord } from "./actions.js";
import { CLASSES, button, bytes, element, foreign, moment, visible } from "./format.js";
import { known } from "./follow.js";
import { member, pretty } from "./json.js";
import { said } from "./panel.js";
import { block, comparison, facts, heading } from "./sections.js";
import { stateOfRecord } from "./words.js";

export const recordPanel = (record, hooks) => ({ key: recordKey(record), build: () => build(record, hooks) });

async function build(record, hooks) {
  const entry = await known(record);
  return {
    title: visible(record.id),
    live: entry?.waiting_since !== null,
    parts: [
      element("p", [`${record.source} · `, foreign(record.table)], { className: "soft" }),
      entry ? state(entry) : element("p", "Nothing is known of it yet: verify it, or wait for its first event.", { className: "soft" }),
      element("div", [
        button("Verify now", () => verifyRecord(record, [recordKey(record)], hooks), { id: "verify" }),
        button("Its events", () => hooks.eventsOf(record), { id: "its-events" }),
      ], { className: "buttons" }),
      said(),
      heading("Copy and source"), comparison(record),
      heading("Copy"), await copied(record, entry),
    ],
  };
}

function state(entry) {
  const name = stateOfRecord(entry);
  const unverified = entry.verified === false ? " · as a webhook said, unverified" : "";
  return element("div", [
    element("p", [element("span", name, { className: `state ${CLASSES[name] ?? ""}` }), unverified]),
    facts([
      entry.changed_at ? ["Changed", entry.changed_at] : null,
      ["Read", moment(entry.read_at)],
      entry.waiting_since ? ["Waiting since", moment(entry.waiting_since)] : null,
    ]),
  ]);
}

async function copied(record, entry) {
  if (!entry?.present) return element("p", entry?.present === false ? "The source has no such record." : "There is no copy.", { className: "soft" });
  return block(pretty(member(await text("GET", recordPath(record.source, record.table, record.id)), "data")));
}

export const rejectedKey = (one) => `rejected:${one.at}:${one.id}`;

export const rejectedPanel = (one) => ({
  key: rejectedKey(one),
  build: async () => ({
    title: `Refused with ${one.status}`,
    live: false,
    parts: [
      element("p", element("span", one.reason, { className: "state bad" })),
      element("p", foreign(one.message)),
      facts([["At", moment(one.at)], ["Endpoint", one.endpoint], ["From", one.peer ?? "unknown"], ["Size", one.bytes === null ? "unknown" : bytes(one.bytes)]]),
      element("p", "Nothing of a refused webhook is kept but this: no body, no header.", { className: "soft" }),
    ],
  }),
});
