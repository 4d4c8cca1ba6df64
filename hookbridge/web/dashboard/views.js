// The lists: where each comes from, its filters, its columns, and what an empty one means.

import { REPLAYABLE } from "./api.js";
import { SOURCE, TABLE, named, plain, state, table, when, word } from "./cells.js";
import { dead } from "./dead.js";
import { destinations } from "./destinations.js";
import { eventPanel } from "./event.js";
import { $, element, foreign, visible } from "./format.js";
import { lookAtLatest } from "./latest.js";
import { morphChildren } from "./morph.js";
import { askedOf, rangeFields, rangeOfForm } from "./range.js";
import { records } from "./records.js";
import { rejectedKey, rejectedPanel } from "./rejected.js";
import { UNVERIFIED, stateOfEvent } from "./words.js";

// Events with one reason are shown by their group; here they are gone on with.
const reasonField = (values) => values.has("reason")
  ? [element("label", ["Reason ", element("input", [], { name: "reason", type: "text", value: values.get("reason"), autocomplete: "off", spellcheck: false })])]
  : [];

export const VIEWS = {
  events: {
    path: "api/v1/events",
    rows: "events",
    filters: [SOURCE, ["state", "State", ["open", "settled"]], ["outcome", "Outcome", ["applied", "coalesced", "ignored", "dead"]],
      ["origin", "Origin", ["webhook", "pull", "poll", "sweep", "replay"]], TABLE, ["record_id", "Record"], ["span", "Received", rangeFields],
      ["reason", "Reason", reasonField], ["q", "Text"]],
    asks: (filters) => askedOf(filters),
    columns: () => plain("Received", "Source", "Table", "Record", "Type", "Origin", "State"),
    opens: 3,
    how: 6,
    key: (one) => `${one.id}@${one.received_at}`,
    name: (one) => String(one.id),
    cells: (one) => [when(one.received_at), word(one.source), table(one), named(one.title, one.record_id), word(one.type), word(one.origin),
      state(stateOfEvent(one), one.outcome === "dead" || one.outcome === "ignored" ? one.reason : one.verification === "skipped" ? UNVERIFIED : null)],
    look: lookAtLatest,
    selectable: (one) => REPLAYABLE.includes(one.outcome),
    matches: (one, filters) => [null, one.state].includes(filters.get("state")) && [null, one.outcome].includes(filters.get("outcome")),
    newer: (one, other) => one.id > other.id,
    changes: (one) => one.outcome === null || one.outcome === "dead", // a dead letter may be opened again
    panel: (one, hooks) => eventPanel(one.id, hooks),
    older: "Older",
    empty: (filtered) => filtered
      ? "No event matches. Fewer filters show more."
      : "No event has come in yet. “Send a test event” makes one; for real ones, python -m hookbridge trigger-sql writes Supabase's trigger, and the README says how Notion is connected.",
  },
  dead,
  records,
  rejected: {
    path: "api/v1/rejected",
    rows: "rejected",
    filters: [["endpoint", "Endpoint", ["/api/v1/webhooks/supabase", "/api/v1/webhooks/notion", "pull"]], ["reason", "Reason"]],
    asks: (filters) => filters,
    columns: () => plain("At", "Endpoint", "Status", "Reason", "From", "Message"),
    opens: 3,
    how: 2,
    key: rejectedKey,
    name: rejectedKey,
    cells: (one) => [when(one.at), word(one.endpoint.split("/").pop()), word(one.status), [foreign(one.reason, { className: "bad" }), one.reason], word(one.peer),
      word(one.message)],
    look: lookAtLatest,
    matches: () => true,
    newer: (one, other) => one.at > other.at || (one.at === other.at && one.id > other.id), // numbers begin anew with each process
    changes: () => false,
    panel: (one) => rejectedPanel(one),
    older: "Older",
    empty: (filtered) => filtered ? "None of the last 500 matches." : "No webhook was refused since the service began. A wrong signature or body would be listed here, with the reason.",
  },
  destinations,
};

// What says how a list is shown, not what is in it.
const LOOK = ["order", "columns"];

export const isNarrowed = (filters) => [...filters.keys()].some((name) => !LOOK.includes(name));

export const looksOf = (filters) => new URLSearchParams([...filters].filter(([name]) => LOOK.includes(name)));

// A row: one button in it opens it, so that it is reached and read out like any other; a press elsewhere on it does the same.
export function rowOf(view, one, filters, { chosen, opening, left }) {
  const columns = view.columns(filters);
  const cells = view.cells(one, filters).map(([content, title], place) => element("td",
    place === view.opens ? element("button", content, { type: "button", className: "open" }) : content,
    { className: place === view.how ? "how" : columns[place].kind ?? "", title: title === "" ? null : visible(title), data: { label: visible(columns[place].name) } }));
  const row = element("tr", [view.selectable ? pick(view, one) : null, ...cells], { data: { key: view.key(one) } });
  markRow(row, { chosen, opening });
  if (left) {
    row.className = "left";
    row.title = "It does not match the filters any more";
  }
  return row;
}

// The cell in which a row is selected; whether it is, is the selection's to say.
const pick = (view, one) => element("td", element("input", [], {
  type: "checkbox", disabled: !view.selectable(one), "aria-label": `Select event ${one.id}`,
  title: view.selectable(one) ? null : "What is open is processed anyway, what was ignored is not replayed",
}), { className: "pick", data: { label: "Select" } });

const pickAll = () =>
  element("th", element("input", [], { type: "checkbox", "aria-label": "Select all that are shown" }), { scope: "col", className: "pick" });

// The row that was chosen, and whether what it opens is still on its way.
export function markRow(row, { chosen, opening }) {
  for (const [name, is] of [["aria-current", chosen], ["aria-busy", chosen && opening]]) {
    if (is) row.setAttribute(name, "true");
    else row.removeAttribute(name);
  }
}

// ------------------------------------------------------------------------------------------------------------- filters

// A filter is its name, its label, its choices (or the list that suggests them, or what makes its fields), and what it is
// called where none of them is chosen.
export function buildFilter(view, values) {
  $("filter").replaceChildren(...view.filters.flatMap(([name, label, choices, none = "all"]) => {
    if (typeof choices === "function") return choices(values);
    const made = Array.isArray(choices)
      ? element("select", [element("option", none, { value: "" }), ...choices.map((one) => element("option", one))], { name })
      : element("input", [], { name, type: name === "q" ? "search" : "text", autocomplete: "off", spellcheck: false });
    if (typeof choices === "string") made.setAttribute("list", choices);
    made.value = values.get(name) ?? "";
    if (made.selectedIndex === -1) made.selectedIndex = 0; // the address has what can not be chosen
    return element("label", [label, " ", made], { data: { filter: name } });
  }));
}

export function showColumns(view, filters) {
  const heads = view.columns(filters).map((column) => headOf(column, filters));
  morphChildren($("columns"), view.selectable ? [pickAll(), ...heads] : heads);
}

// The head of a column; of one by which the list can be sorted, a button.
function headOf({ name, order, kind }, filters) {
  const head = element("th", foreign(name), { scope: "col", className: kind ?? "" });
  if (order === undefined) return head;
  const sorted = (filters.get("order") ?? "") === order;
  head.setAttribute("aria-sort", !sorted ? "none" : order === "changed" ? "descending" : "ascending");
  head.replaceChildren(element("button", name, { type: "button", className: "sort", data: { order } }));
  return head;
}

export function showTab(name) {
  for (const tab of document.querySelectorAll("[data-view][role=tab]")) {
    const chosen = tab.dataset.view === name;
    tab.setAttribute("aria-selected", String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
    if (chosen) $("list").setAttribute("aria-labelledby", tab.id);
  }
}

export const filtersOf = (form) => rangeOfForm([...new FormData(form)].filter(([, value]) => value !== ""));

export function suggestTables(things) {
  const there = new Map([...$("known-tables").children].map((one) => [one.value, one.label]));
  const before = there.size;
  for (const { table, table_label: label } of things) if (table && !there.has(table)) there.set(table, label);
  if (there.size === before) return;
  $("known-tables").replaceChildren(...[...there].sort().map(([value, label]) => element("option", [], { value, label: visible(label) })));
}
