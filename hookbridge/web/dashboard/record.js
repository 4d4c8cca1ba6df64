// The panel of a record: how it is, what a person reads of it, the text behind it, and its copy beside the truth.

import { recordPath, text } from "./api.js";
import { recordKey, verifyRecord } from "./actions.js";
import { bodyOf } from "./body.js";
import { placed } from "./cells.js";
import { CLASSES, button, element, foreign, moment, visible, visibleLines } from "./format.js";
import { known } from "./follow.js";
import { member, members, pretty } from "./json.js";
import { said } from "./panel.js";
import { block, comparison, facts, heading } from "./sections.js";
import { stateOfRecord } from "./words.js";

const LONG = 1_000; // a longer value scrolls

export const recordPanel = (record, hooks) => ({ key: recordKey(record), build: () => build(record, hooks) });

async function build(record, hooks) {
  const entry = await known(record);
  const answered = entry?.present ? await text("GET", `${recordPath(record.source, record.table, record.id)}?values=1`) : null;
  const answer = JSON.parse(answered);
  return {
    title: visible(entry?.title ?? record.id),
    live: entry?.waiting_since !== null || answer?.content_state === "waiting",
    parts: [
      element("p", [foreign(record.id), element("br"), placed(entry ?? { ...record, table_label: record.table })]),
      entry ? state(entry) : element("p", "Nothing is known of it yet: verify it, or wait for its first event.", { className: "soft" }),
      element("div", [
        button("Verify now", () => verifyRecord(entry ?? record, [recordKey(record)], hooks), { id: "verify" }),
        button("Its events", () => hooks.eventsOf(record), { id: "its-events" }),
      ], { className: "buttons" }),
      said(),
      ...(answer ? [...limits(answer), heading("Properties"), ...properties(members(member(answered, "values"))), ...bodyOf(answer)] : []),
      heading("Copy and source"), comparison(record),
      heading("Copy"), answer ? asWritten(member(answered, "data")) : none(entry),
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

const none = (entry) => element("p", entry?.present === false ? "The source has no such record." : "There is no copy.", { className: "soft" });

const asWritten = (data) => element("details", [element("summary", "As the source wrote it"), block(pretty(data))]);

// In the order in which the source has them; those without a value in one line.
function properties(values) {
  const read = values.map(([name, written]) => [visible(name), JSON.parse(written)]);
  const empty = read.filter(([, value]) => value === null || value === "").map(([name]) => name);
  return [
    facts(read.filter(([, value]) => value).map(([name, value]) => [foreign(name), value.length > LONG ? block(value) : element("bdi", visibleLines(value), { className: "value" })])),
    empty.length ? element("p", ["Empty: ", foreign(empty.join(", "))], { className: "soft" }) : null,
  ].filter(Boolean);
}

// What the copy, or the index, does not have of it.
function limits({ words_cut: cut, cut_properties: properties, links_expired_at: expired }) {
  return [
    cut ? "Search knows only the beginning of its text." : null,
    properties ? `Longer at the source than what was read of them: ${properties.join(", ")}.` : null,
    expired ? [`Links to its files ${new Date(expired) > Date.now() ? "work until" : "have not worked since"} `, moment(expired), "."] : null,
  ].filter(Boolean).map((words) => element("p", [words].flat().map((one) => (typeof one === "string" ? foreign(one) : one)), { className: "soft" }));
}
