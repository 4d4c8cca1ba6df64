// The three lists: where each comes from, its filters, its columns, and what an empty one means.

import { $, CLASSES, clock, element } from "./format.js";
import { openEvent, openRecord, openRejected, stateOf } from "./panel.js";

const SOURCE = ["source", "Source", ["supabase", "notion"]];
const cell = (text, className = "") => element("td", text === null || text === undefined ? "–" : String(text), { className });

export const VIEWS = {
  events: {
    path: "api/v1/events",
    rows: "events",
    filters: [SOURCE, ["state", "State", ["open", "settled"]], ["outcome", "Outcome", ["applied", "coalesced", "ignored", "dead"]],
      ["origin", "Origin", ["webhook", "poll", "sweep", "replay"]], ["table", "Table"], ["record_id", "Record"], ["q", "Text"]],
    columns: ["Received", "Source", "Table", "Record", "Type", "Origin", "State"],
    key: (one) => one.id,
    cells: (one) => {
      const state = one.outcome ?? one.state;
      return [cell(clock(one.received_at)), cell(one.source), cell(one.table), cell(one.record_id), cell(one.type), cell(one.origin),
        cell(state, CLASSES[state] ?? "")];
    },
    open: openEvent,
    live: true,
    empty: (filtered) => filtered
      ? "No event matches. Fewer filters show more."
      : "No event came in yet. Send one from here (“Send a test event”), or let your source do it: trigger-sql makes Supabase's trigger, and the README says how Notion is connected.",
  },
  records: {
    path: "api/v1/records",
    rows: "records",
    filters: [SOURCE, ["state", "State", ["present", "absent", "waiting"]], ["table", "Table"], ["record_id", "Record"], ["q", "Text"]],
    columns: ["Source", "Table", "Record", "Changed", "Read", "State"],
    key: (one) => `${one.source}:${one.table}:${one.id}`,
    cells: (one) => [cell(one.source), cell(one.table), cell(one.id), cell(one.changed_at), cell(clock(one.read_at)),
      cell(stateOf(one), CLASSES[stateOf(one)] ?? "")],
    open: openRecord,
    live: false,
    empty: (filtered) => filtered
      ? "No record matches. A text finds words of the index, or the beginning of an id."
      : "There is no copy of any record yet. The first event brings one; to copy a whole table, list it under [[supabase.tables]] or [[notion.databases]] in config.toml.",
  },
  rejected: {
    path: "api/v1/rejected",
    rows: "rejected",
    filters: [["endpoint", "Endpoint", ["/api/v1/webhooks/supabase", "/api/v1/webhooks/notion"]], ["reason", "Reason"]],
    columns: ["At", "Endpoint", "Status", "Reason", "From", "Message"],
    key: (one) => one.id,
    cells: (one) => [cell(clock(one.at)), cell(one.endpoint.split("/").pop()), cell(one.status), cell(one.reason, "bad"), cell(one.peer),
      cell(one.message)],
    open: openRejected,
    live: true,
    empty: (filtered) => filtered ? "None of the last 500 matches." : "No webhook was refused since the service began.",
  },
};

export function buildFilter(view, values) {
  const fields = view.filters.map(([name, label, choices]) => {
    const field = choices
      ? element("select", [element("option", "all", { value: "" }), ...choices.map((one) => element("option", one))], { name })
      : element("input", [], { name, type: name === "q" ? "search" : "text", autocomplete: "off" });
    field.value = values.get(name) ?? "";
    return element("label", [label, " ", field]);
  });
  $("filter").replaceChildren(...fields);
  $("columns").replaceChildren(...view.columns.map((name) => element("th", name, { scope: "col" })));
}

export const filtersOf = (form) => new URLSearchParams([...new FormData(form)].filter(([, value]) => value !== ""));
