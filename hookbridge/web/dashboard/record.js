// The panel of a record.

import { recordPath, text } from "./api.js";
import { recordKey, verifyRecord } from "./actions.js";
import { placed } from "./cells.js";
import { CLASSES, button, element, foreign, moment, visible } from "./format.js";
import { known } from "./follow.js";
import { member, pretty } from "./json.js";
import { said } from "./panel.js";
import { block, comparison, facts, heading } from "./sections.js";
import { stateOfRecord } from "./words.js";

export const recordPanel = (record, hooks) => ({ key: recordKey(record), build: () => build(record, hooks) });

async function build(record, hooks) {
  const entry = await known(record);
  return {
    title: visible(entry?.title ?? record.id),
    live: entry?.waiting_since !== null,
    parts: [
      element("p", [foreign(record.id), element("br"), placed(entry ?? { ...record, table_label: record.table })]),
      entry ? state(entry) : element("p", "Nothing is known of it yet: verify it, or wait for its first event.", { className: "soft" }),
      element("div", [
        button("Verify now", () => verifyRecord(entry ?? record, [recordKey(record)], hooks), { id: "verify" }),
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
