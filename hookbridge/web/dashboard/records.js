// The list of records: a table for people. Titles come first, present records are shown unless others are asked for, and
// the reader chooses which of their columns or properties stand beside.

import { SOURCE, TABLE, named, state, table } from "./cells.js";
import { element, foreign, moment } from "./format.js";
import { marked } from "./marks.js";
import { recordPanel } from "./record.js";
import { lookAtRecords } from "./recordnews.js";
import { UNVERIFIED, stateOfRecord } from "./words.js";

const ALL = "all"; // here the address says what the API is not asked for
const COMMAS = /[%,]/g; // a name may have them

export const columnsOf = (filters) => (filters.get("columns") ?? "").split(",").filter(Boolean).map(decoded);
export const columnsAs = (names) => names.map((name) => name.replace(COMMAS, encodeURIComponent)).join(",");

function decoded(name) {
  try {
    return decodeURIComponent(name);
  } catch {
    return name; // somebody wrote the address by hand
  }
}

// They are chosen in a dialog, and the form keeps them.
const chosenColumns = (values) => [element("input", [], { type: "hidden", name: "columns", value: values.get("columns") ?? "" })];

const ZONED = /\d(Z|[+-]\d\d:\d\d)$/;

// The source's own time, or when the copy was read where the source has none.
function changed(one) {
  if (one.changed_at === null) return [[element("span", "read ", { className: "soft" }), moment(one.read_at)], ""];
  return ZONED.test(one.changed_at) && !Number.isNaN(Date.parse(one.changed_at)) ? [moment(one.changed_at), ""] : [foreign(one.changed_at), one.changed_at];
}

function value(one, name) {
  const text = one.values && Object.hasOwn(one.values, name) ? one.values[name] : null;
  return text === null ? ["", ""] : [foreign(text.replace(/\s+/g, " ")), text];
}

export const records = {
  path: "api/v1/records",
  rows: "records",
  filters: [["q", "Text"], TABLE, SOURCE, ["state", "State", ["absent", "waiting", ALL], "present"], ["record_id", "Key"], ["order", "Order", ["changed"], "key"],
    ["columns", "Columns", chosenColumns]],
  asks: (filters) => {
    const asked = new URLSearchParams(filters);
    if (!asked.has("state")) asked.set("state", "present");
    if (asked.get("state") === ALL) asked.delete("state");
    return asked;
  },
  columns: (filters) => [
    { name: "Record", order: "" }, { name: "Table" }, ...columnsOf(filters).map((name) => ({ name, kind: "chosen" })),
    ...(filters.has("q") ? [{ name: "Words around", kind: "around" }] : []), { name: "Changed", order: "changed", kind: "changed" }, { name: "State", kind: "how" },
  ],
  opens: 0,
  key: (one) => `${one.source}:${one.table}:${one.id}`,
  name: (one) => `${one.source}:${one.table}:${one.id}`,
  cells: (one, filters) => [
    named(one.title, one.id), table(one), ...columnsOf(filters).map((name) => value(one, name)),
    ...(filters.has("q") ? [[element("div", marked(one.snippet ?? "", filters.get("q"))), ""]] : []), changed(one),
    state(stateOfRecord(one), one.verified === false ? UNVERIFIED : null),
  ],
  look: lookAtRecords,
  matches: (one, filters) => ({ absent: one.present === false, waiting: one.waiting_since !== null, [ALL]: true })[filters.get("state")] ?? one.present === true,
  panel: (one, hooks) => recordPanel(one, hooks),
  older: "More",
  empty: (narrowed, context) => narrowed
    ? "No record matches. A text finds words of the index, or the beginning of a key; absent records are behind the filter “State”."
    : context.followed
      ? "There is no copy of any record yet: the tables that are followed are being read for the first time, or are empty."
      : "There is no copy of any record yet. The first event brings one; to copy a whole table, list it under [[supabase.tables]] or [[notion.databases]] in config.toml.",
};
