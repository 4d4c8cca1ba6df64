// The three lists: where each comes from, its filters, its columns, and what an empty one means.

import { eventPanel } from "./event.js";
import { $, CLASSES, element, foreign, moment, visible } from "./format.js";
import { rangeFields, rangeOfForm } from "./range.js";
import { recordPanel, rejectedKey, rejectedPanel } from "./record.js";
import { UNVERIFIED, stateOfEvent, stateOfRecord } from "./words.js";

const SOURCE = ["source", "Source", ["supabase", "notion"]];
const TABLE = ["table", "Table", "known-tables"];
const word = (text) => [foreign(text ?? "–"), text ?? ""];
const when = (time) => [moment(time), ""];
const state = (name, why = null) => [[element("span", name, { className: CLASSES[name] ?? "" }), why ? element("span", [" ", foreign(why)], { className: "soft" }) : null], why ?? ""];

export const VIEWS = {
  events: {
    path: "api/v1/events",
    rows: "events",
    filters: [SOURCE, ["state", "State", ["open", "settled"]], ["outcome", "Outcome", ["applied", "coalesced", "ignored", "dead"]],
      ["origin", "Origin", ["webhook", "poll", "sweep", "replay"]], TABLE, ["record_id", "Record"], ["span", "Received", rangeFields], ["q", "Text"]],
    columns: ["Received", "Source", "Table", "Record", "Type", "Origin", "State"],
    opens: 3,
    how: 6,
    key: (one) => `${one.id}@${one.received_at}`,
    name: (one) => String(one.id),
    cells: (one) => [when(one.received_at), word(one.source), word(one.table), word(one.record_id), word(one.type), word(one.origin),
      state(stateOfEvent(one), one.outcome === "dead" || one.outcome === "ignored" ? one.reason : one.verification === "skipped" ? UNVERIFIED : null)],
    matches: (one, filters) => [null, one.state].includes(filters.get("state")) && [null, one.outcome].includes(filters.get("outcome")),
    newer: (one, other) => one.id > other.id,
    changes: (one) => one.outcome === null || one.outcome === "dead", // a dead letter may be opened again
    panel: (one, hooks) => eventPanel(one.id, hooks),
    older: "Older",
    empty: (filtered) => filtered
      ? "No event matches. Fewer filters show more."
      : "No event has come in yet. “Send a test event” makes one; for real ones, python -m hookbridge trigger-sql writes Supabase's trigger, and the README says how Notion is connected.",
  },
  records: {
    path: "api/v1/records",
    rows: "records",
    filters: [SOURCE, ["state", "State", ["present", "absent", "waiting"]], TABLE, ["record_id", "Record"], ["q", "Text"]],
    columns: ["Source", "Table", "Record", "Changed", "Read", "State"],
    opens: 2,
    how: 5,
    key: (one) => `${one.source}:${one.table}:${one.id}`,
    name: (one) => `${one.source}:${one.table}:${one.id}`,
    cells: (one) => [word(one.source), word(one.table), word(one.id), word(one.changed_at), when(one.read_at),
      state(stateOfRecord(one), one.verified === false ? UNVERIFIED : null)],
    matches: (one, filters) => ({ present: one.present === true, absent: one.present === false, waiting: one.waiting_since !== null })[filters.get("state")] ?? true,
    panel: (one, hooks) => recordPanel(one, hooks),
    older: "More",
    empty: (filtered, context) => filtered
      ? "No record matches. A text finds words of the index, or the beginning of an id."
      : context.followed
        ? "There is no copy of any record yet: the tables that are followed are being read for the first time, or are empty."
        : "There is no copy of any record yet. The first event brings one; to copy a whole table, list it under [[supabase.tables]] or [[notion.databases]] in config.toml.",
  },
  rejected: {
    path: "api/v1/rejected",
    rows: "rejected",
    filters: [["endpoint", "Endpoint", ["/api/v1/webhooks/supabase", "/api/v1/webhooks/notion"]], ["reason", "Reason"]],
    columns: ["At", "Endpoint", "Status", "Reason", "From", "Message"],
    opens: 3,
    how: 2,
    key: rejectedKey,
    name: rejectedKey,
    cells: (one) => [when(one.at), word(one.endpoint.split("/").pop()), word(one.status), [foreign(one.reason, { className: "bad" }), one.reason], word(one.peer),
      word(one.message)],
    matches: () => true,
    newer: (one, other) => one.at > other.at || (one.at === other.at && one.id > other.id), // numbers begin anew with each process
    changes: () => false,
    panel: (one) => rejectedPanel(one),
    older: "Older",
    empty: (filtered) => filtered ? "None of the last 500 matches." : "No webhook was refused since the service began. A wrong signature or body would be listed here, with the reason.",
  },
};

// A row: one button in it opens it, so that it is reached and read out like any other; a press elsewhere on it does the same.
export function rowOf(view, one, { chosen, opening, left }) {
  const cells = view.cells(one).map(([content, title], place) => element("td",
    place === view.opens ? element("button", content, { type: "button", className: "open" }) : content,
    { className: place === view.how ? "how" : "", title: title === "" ? null : visible(title), data: { label: view.columns[place] } }));
  const row = element("tr", cells, { data: { key: view.key(one) } });
  markRow(row, { chosen, opening });
  if (left) {
    row.className = "left";
    row.title = "It does not match the filters any more";
  }
  return row;
}

// The row that was chosen, and whether what it opens is still on its way.
export function markRow(row, { chosen, opening }) {
  for (const [name, is] of [["aria-current", chosen], ["aria-busy", chosen && opening]]) {
    if (is) row.setAttribute(name, "true");
    else row.removeAttribute(name);
  }
}

// ------------------------------------------------------------------------------------------------------------- filters

export function buildFilter(view, values) {
  $("filter").replaceChildren(...view.filters.flatMap(([name, label, choices]) => {
    if (typeof choices === "function") return choices(values);
    const made = Array.isArray(choices)
      ? element("select", [element("option", "all", { value: "" }), ...choices.map((one) => element("option", one))], { name })
      : element("input", [], { name, type: name === "q" ? "search" : "text", autocomplete: "off", spellcheck: false });
    if (typeof choices === "string") made.setAttribute("list", choices);
    made.value = values.get(name) ?? "";
    return element("label", [label, " ", made]);
  }));
  $("columns").replaceChildren(...view.columns.map((name) => element("th", name, { scope: "col" })));
}

export const filtersOf = (form) => rangeOfForm([...new FormData(form)].filter(([, value]) => value !== ""));

export function suggestTables(tables) {
  const there = [...$("known-tables").children].map((one) => one.value);
  const all = [...new Set([...there, ...tables])].sort();
  if (all.length !== there.length) $("known-tables").replaceChildren(...all.map((value) => element("option", [], { value })));
}
