// One list at a time: pages, the row that is chosen, and news that never move what is being read.

import { call } from "./api.js";
import { $, count, element } from "./format.js";
import { VIEWS, buildFilter, filtersOf } from "./views.js";

const PAGE_ROWS = 50;
const NEWS_MAX = 100;

export class List {
  constructor(changed) {
    this.changed = changed;
    this.name = "events";
    this.shown = [];
    this.cursor = null;
    this.asked = 0;
  }

  get view() { return VIEWS[this.name]; }
  get filters() { return filtersOf($("filter")); }
  get chosen() {
    const rows = [...$("rows").rows];
    const focused = rows.indexOf(document.activeElement);
    return focused >= 0 ? focused : rows.findIndex((row) => row.ariaSelected === "true");
  }


  turnTo(name, values = new URLSearchParams()) {
    this.name = name in VIEWS ? name : "events";
    buildFilter(this.view, values);
    $("replay-matching").hidden = this.name !== "events";
    for (const tab of document.querySelectorAll("[data-view]")) tab.ariaSelected = String(tab.dataset.view === this.name);
    return this.load();
  }

  // The newest page, or the one that follows what is shown.
  async load(older = false) {
    const query = this.filters;
    this.#remember(query);
    query.set("limit", PAGE_ROWS);
    if (older) query.set("cursor", this.cursor);
    const turn = ++this.asked;
    const page = await call("GET", `${this.view.path}?${query}`);
    if (turn !== this.asked) return; // another filter was faster
    const found = page[this.view.rows];
    const rows = found.map((one) => this.#row(one));
    if (older) $("rows").append(...rows);
    else $("rows").replaceChildren(...rows);
    this.shown = older ? [...this.shown, ...found] : found;
    this.cursor = page.next_cursor;
    if (!older) $("news").hidden = true;
    $("older").textContent = this.name === "records" ? "More" : "Older";
    $("older").hidden = this.cursor === null;
    this.#sayEmpty();
  }

  #sayEmpty() {
    $("empty").hidden = this.shown.length > 0;
    if (this.shown.length) return;
    // A search for words looks at so many events, and says where the next page goes on.
    $("empty").textContent = this.cursor === null ? this.view.empty(this.filters.size > 0) : "Nothing among the latest. “Older” looks further back.";
  }

  #remember(query) {
    const kept = new URLSearchParams(query);
    if (this.name !== "events") kept.set("view", this.name);
    const hours = new URLSearchParams(location.search).get("hours");
    if (hours) kept.set("hours", hours);
    history.replaceState(null, "", kept.size ? `?${kept}` : location.pathname);
  }

  #row(one) {
    const row = element("tr", this.view.cells(one), { tabIndex: 0 });
    row.addEventListener("click", () => this.#open(one, row));
    row.addEventListener("keydown", (press) => {
      if (press.key !== "Enter") return;
      press.preventDefault(); // or the same press reaches what it has opened
      this.#open(one, row);
    });
    return row;
  }

  #open(one, row) {
    this.#mark(row);
    this.changed(this.view.open(one, row, () => this.changed(this.refreshed()), (record) => this.changed(this.eventsOf(record))));
  }

  #mark(chosen) {
    for (const row of $("rows").rows) row.ariaSelected = String(row === chosen);
  }

  eventsOf(record) {
    return this.turnTo("events", new URLSearchParams({ source: record.source, table: record.table, record_id: record.id }));
  }

  move(by) {
    const rows = $("rows").rows;
    if (!rows.length) return;
    const next = rows[Math.max(0, Math.min(rows.length - 1, this.chosen + by))];
    this.#mark(next);
    next.focus();
    if (!$("panel").hidden) this.changed(this.view.open(this.shown[next.sectionRowIndex], next, () => this.changed(this.refreshed()), (record) => this.changed(this.eventsOf(record))));
  }

  get current() { return this.shown[this.chosen] ?? null; }

  refreshed() { return this.load(); }

  // What comes in is announced, not put in; what is shown as open is told when it has ended, in its place.
  async look() {
    if (!this.view.live) return;
    const query = this.filters;
    query.set("limit", NEWS_MAX);
    const turn = this.asked;
    const page = await call("GET", `${this.view.path}?${query}`);
    if (turn !== this.asked) return;
    const latest = page[this.view.rows];
    if (!this.shown.length) {
      if (latest.length) await this.load();
      return;
    }
    const newer = latest.filter((one) => one.id > this.shown[0].id).length;
    $("show-news").textContent = `${newer === NEWS_MAX ? `${NEWS_MAX} or more` : count(newer)} newer – show`;
    $("news").hidden = newer === 0;
    this.#update(latest);
  }

  #update(latest) {
    const known = new Map(latest.map((one) => [one.id, one]));
    this.shown.forEach((one, place) => {
      const now = known.get(one.id);
      if (!now || JSON.stringify(now) === JSON.stringify(one)) return;
      this.shown[place] = now;
      $("rows").rows[place].replaceChildren(...this.view.cells(now));
    });
  }
}
