// One list at a time: its pages, the row that is chosen, and news that never move what is being read.
//
// Everything here belongs to one `sight`: a view with its filters, from the moment they are chosen. What an earlier one
// has asked is given up, and a sight begins with nothing, so that rows of two lists never mix.

import { Refusal, call } from "./api.js";
import { $, count } from "./format.js";
import { NEWS_MAX } from "./latest.js";
import { morph } from "./morph.js";
import { VIEWS, buildFilter, filtersOf, isNarrowed, markRow, rowOf, showColumns, suggestTables } from "./views.js";

const PAGE_ROWS = 50;
const PATIENT = 4; // a look that took a second is not repeated within four

// Nobody waits for what was asked any more.
export class Left extends Error {}

export class List {
  constructor({ opened, context }) {
    this.opened = opened; // (row's one) → shows it
    this.context = context; // () → what an empty list should know
    this.name = "events";
    this.filters = new URLSearchParams();
    this.remembered = {};
    this.opening = false;
    this.turning = false;
    this.#begin();
    $("rows").addEventListener("click", (press) => this.#pressed(press));
  }

  get view() { return VIEWS[this.name]; }

  // ---------------------------------------------------------------------------------------------------------- sights

  // Turn to a view; without filters, to those that it had last.
  turnTo(name, filters) {
    this.name = name in VIEWS ? name : "events";
    this.filters = filters ?? this.remembered[this.name] ?? new URLSearchParams();
    this.turning = true; // a field that goes while something is typed in it says once more that it has changed
    buildFilter(this.view, this.filters);
    this.turning = false;
    document.body.dataset.view = this.name;
    $("replay-matching").hidden = this.name !== "events";
    $("choose-columns").hidden = this.name !== "records";
    for (const tab of document.querySelectorAll("[data-view][role=tab]")) {
      const chosen = tab.dataset.view === this.name;
      tab.setAttribute("aria-selected", String(chosen));
      tab.tabIndex = chosen ? 0 : -1;
      if (chosen) $("list").setAttribute("aria-labelledby", tab.id);
    }
    return this.load();
  }

  // What the reader has chosen in the form; false when that is what is shown already.
  takeFilters() {
    const now = filtersOf($("filter"));
    if (this.turning || String(now) === String(this.filters)) return false;
    this.filters = now;
    return true;
  }

  #begin() {
    this.sight?.left.abort();
    this.sight = { left: new AbortController() };
    this.asked = this.view.asks(this.filters); // as the API takes them, of now
    this.shown = [];
    this.places = new Map(); // key → place in `shown`, and of its row
    this.left = new Set();
    this.cursor = null;
    this.horizon = null; // of a list of events: above it, one may still appear below newer ones
    this.chosen = null;
    this.lookAfter = 0;
    this.loaded = false;
  }

  // The newest page, of nothing else than this sight.
  async load({ retry = false } = {}) {
    this.remembered[this.name] = this.filters;
    $("list").style.minHeight = `${$("list").offsetHeight}px`; // the page keeps its length until the answer is there
    this.#begin();
    showColumns(this.view, this.filters);
    $("rows").replaceChildren();
    for (const id of ["news", "older", "empty", "partial"]) $(id).hidden = true;
    if (!retry) $("failed").hidden = true;
    $("clear").hidden = !isNarrowed(this.filters);
    $("loading").hidden = retry; // it says why not
    await this.#page();
  }

  async more() {
    if (this.loading) return;
    $("older").textContent = "Loading…";
    await this.#page(this.cursor);
  }

  // The page behind the cursor, or the first one.
  async #page(cursor = null) {
    const { sight } = this;
    this.loading = true;
    try {
      this.#append(await this.#ask(this.view.whole ? {} : { limit: PAGE_ROWS, ...(cursor === null ? {} : { cursor }) }));
    } finally {
      if (sight === this.sight) {
        this.loading = false;
        $("list").style.minHeight = "";
        $("loading").hidden = true;
        $("older").textContent = this.view.older;
      }
    }
  }

  #append(page) {
    const found = page[this.view.rows].filter((one) => !this.#has(one));
    for (const one of found) this.places.set(this.view.key(one), this.shown.push(one) - 1);
    $("rows").append(...found.map((one) => this.#row(one)));
    suggestTables(found);
    this.cursor = page.next_cursor ?? null;
    this.horizon ??= page.horizon ?? null;
    this.loaded = true;
    $("older").hidden = this.cursor === null;
    $("failed").hidden = true;
    $("partial").hidden = !this.view.whole || page.complete;
    this.#sayEmpty();
  }

  // Raises Left where the reader has gone on to another sight before the answer, or the failure, was there.
  async #ask(more, filters = this.asked) {
    const { sight } = this;
    const asked = new URLSearchParams(filters);
    for (const [name, value] of Object.entries(more)) asked.set(name, value);
    const answered = await call("GET", `${this.view.path}?${asked}`, undefined, { signal: sight.left.signal }).catch((error) => {
      throw sight === this.sight ? error : new Left();
    });
    if (sight !== this.sight) throw new Left();
    return answered;
  }

  #sayEmpty() {
    $("empty").hidden = this.shown.length > 0;
    // A search for words looks at so many events, and says where the next page goes on.
    $("empty").textContent = this.cursor === null ? this.view.empty(isNarrowed(this.filters), this.context()) : "Nothing among the latest. “Older” looks further back.";
  }

  // ------------------------------------------------------------------------------------------------------------ rows

  #has(one) {
    return this.places.has(this.view.key(one));
  }

  #row(one) {
    const key = this.view.key(one);
    return rowOf(this.view, one, this.filters, { chosen: key === this.chosen, opening: this.opening, left: this.left.has(key) });
  }

  // Rows become what is known now, where they are. Gives whether any did.
  #put(found) {
    let changed = false;
    for (const one of found) {
      const key = this.view.key(one);
      const place = this.places.get(key);
      if (place === undefined) continue;
      const left = !this.view.matches(one, this.filters);
      if (JSON.stringify(one) === JSON.stringify(this.shown[place]) && left === this.left.has(key)) continue;
      this.left[left ? "add" : "delete"](key);
      this.shown[place] = one;
      morph($("rows").rows[place], this.#row(one));
      changed = true;
    }
    return changed;
  }

  #pressed({ target }) {
    const row = target.closest("tr");
    if (!row || !getSelection().isCollapsed) return; // who marks a text does not want the row
    const one = this.shown[row.sectionRowIndex];
    this.choose(this.view.key(one));
    this.opened(one);
  }

  choose(key) {
    this.chosen = key;
    this.#mark();
  }

  // Whether what is chosen is on its way.
  showOpening(opening) {
    this.opening = opening;
    this.#mark();
  }

  #mark() {
    for (const row of $("rows").rows) markRow(row, { chosen: row.dataset.key === this.chosen, opening: this.opening });
  }

  get current() {
    const focused = document.activeElement?.closest("#rows tr")?.sectionRowIndex;
    const place = focused ?? this.places.get(this.chosen);
    return this.shown[place] ?? null;
  }

  // The next row or the one before. Gives it.
  move(by) {
    if (!this.shown.length) return null;
    const now = this.current === null ? -1 : this.shown.indexOf(this.current);
    const one = this.shown[Math.max(0, Math.min(this.shown.length - 1, now + by))];
    this.choose(this.view.key(one));
    this.focus();
    return one;
  }

  // The focus, on the row that is chosen: by its name, for it may be another element by now.
  focus() {
    const row = [...$("rows").rows].find((one) => one.dataset.key === this.chosen);
    (row?.querySelector(".open") ?? document.querySelector("[role=tab][aria-selected=true]")).focus();
    row?.scrollIntoView({ block: "nearest" });
  }

  // ------------------------------------------------------------------------------------------------------------ news

  // What came in is announced, not put in; what is shown is brought up to date in its place. Gives whether any row was.
  async look({ now = false } = {}) {
    if (!now && Date.now() < this.lookAfter) return false;
    if (this.loading || (!this.shown.length && this.cursor !== null)) return false;
    if (!this.loaded) return this.load({ retry: true });
    const began = Date.now();
    const found = await this.view.look(this.#looked());
    this.horizon = found.horizon ?? this.horizon;
    this.lookAfter = Date.now() + PATIENT * (Date.now() - began);
    $("failed").hidden = true;
    if (!this.shown.length) {
      if (found.newer) await this.load();
      return found.newer > 0;
    }
    $("show-news").textContent = `${found.newer >= NEWS_MAX ? `${NEWS_MAX} or more` : count(found.newer)} newer – show`;
    if (found.anywhere) $("show-news").textContent = `${count(found.newer)} more – show`;
    $("news").hidden = found.newer === 0;
    return this.#put(found.known);
  }

  // What is looked at, as those who look know it.
  #looked() {
    return {
      view: this.view, shown: this.shown, places: this.places, atTheEnd: this.cursor === null, horizon: this.horizon, key: this.view.key,
      order: this.filters.get("order"), inSight: this.#inSight(), ask: (more, filters) => this.#ask(more, filters),
    };
  }

  #inSight() {
    const rows = [...$("rows").rows];
    const boxes = rows.map((row) => row.getBoundingClientRect());
    const from = Math.max(0, boxes.findIndex((box) => box.bottom > 0));
    const to = boxes.findLastIndex((box) => box.top < innerHeight) + 1;
    return [from, Math.max(to, Math.min(rows.length, from + PAGE_ROWS))];
  }

  // An error of the list stands above it, and goes with the next answer.
  failed(error) {
    const text = error instanceof Refusal ? `The list cannot be shown: ${error.message}` : error.message;
    if ($("failed").textContent !== text) $("failed").textContent = text;
    $("failed").hidden = false;
    $("empty").hidden = true;
  }
}
