// One list at a time: its pages, the row that is chosen, and news that never move what is being read.
//
// Everything here belongs to one `sight`: a view with its filters, from the moment they are chosen. What an earlier one
// has asked is given up, and a sight begins with nothing, so that rows of two lists never mix.

import { call } from "./api.js";
import { sayBegun, sayEmpty, sayEnded, sayNews, sayPage } from "./around.js";
import { $ } from "./format.js";
import { NEWS_MAX } from "./latest.js";
import { morph } from "./morph.js";
import { Selection } from "./selection.js";
import { VIEWS, buildFilter, filtersOf, isNarrowed, markRow, rowOf, showColumns, showTab, suggestTables } from "./views.js";

const PAGE_ROWS = 50;
const LIVE_ROWS = 200; // so many are kept while new ones come in by themselves
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
    this.live = false;
    this.selection = new Selection(this);
    this.#begin();
    $("rows").addEventListener("click", (press) => this.#pressed(press));
    $("rows").addEventListener("mousedown", (press) => {
      if (press.shiftKey && press.target.closest(".pick")) press.preventDefault(); // it marks no text
    });
    $("columns").addEventListener("change", ({ target }) => { if (target.closest(".pick")) this.selection.all(target.checked); });
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
    for (const id of ["live", "replay-matching"]) $(id).hidden = this.name !== "events";
    $("choose-columns").hidden = this.name !== "records";
    showTab(this.name);
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
    this.selection.clear();
    this.lookAfter = 0;
    this.loaded = false;
  }

  // The newest page, of nothing else than this sight.
  async load({ retry = false } = {}) {
    this.remembered[this.name] = this.filters;
    sayBegun({ narrowed: isNarrowed(this.filters), retry });
    this.#begin();
    showColumns(this.view, this.filters);
    $("rows").replaceChildren();
    this.selection.show();
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
        sayEnded(this.view.older);
      }
    }
  }

  #append(page) {
    const found = page[this.view.rows].filter((one) => !this.#has(one));
    for (const one of found) this.places.set(this.view.key(one), this.shown.push(one) - 1);
    $("rows").append(...found.map((one) => this.#row(one)));
    suggestTables(found);
    this.selection.show();
    this.cursor = page.next_cursor ?? null;
    this.horizon ??= page.horizon ?? null;
    this.loaded = true;
    sayPage({ more: this.cursor !== null, complete: page.complete !== false });
    sayEmpty(this.shown.length ? null : this.#whyEmpty());
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

  #whyEmpty() {
    // A search for words looks at so many events, and says where the next page goes on.
    return this.cursor === null ? this.view.empty(isNarrowed(this.filters), this.context()) : "Nothing among the latest. “Older” looks further back.";
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
      this.selection.update(one);
      changed = true;
    }
    if (changed) this.selection.show();
    return changed;
  }

  #pressed({ target, shiftKey }) {
    const row = target.closest("tr");
    if (row && target.closest(".pick")) return this.selection.turn(row.sectionRowIndex, { through: shiftKey });
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

  // The row that is chosen is selected, or is not any more; `through`, so are those from the last one to it.
  select({ through = false } = {}) {
    if (this.view.selectable && this.current) this.selection.turn(this.shown.indexOf(this.current), { through });
  }

  selectNone() {
    this.selection.clear();
    this.selection.show();
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

  // What came in is announced, or put in where the list is live; what is shown is brought up to date in its place. Gives
  // whether any row was.
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
    if (this.live && found.fresh && this.#mayMove()) return this.#letIn(found);
    sayNews(found);
    return this.#put(found.known);
  }

  // Nobody is selecting rows, and the first one is in sight: what is put in above it moves nothing that is looked for.
  #mayMove() {
    return !this.selection.size && $("rows").getBoundingClientRect().top >= $("news-place").getBoundingClientRect().bottom - 1;
  }

  async #letIn({ fresh, newer, known }) {
    if (newer >= NEWS_MAX) {
      await this.load(); // so many came at once that there may be more
      return true;
    }
    const come = fresh.filter((one) => !this.#has(one)); // two looks may be under way
    for (const one of come) {
      const below = this.shown.findIndex((other) => this.view.newer(one, other));
      const place = below === -1 ? this.shown.length : below;
      this.shown.splice(place, 0, one);
      $("rows").insertBefore(this.#row(one), $("rows").rows[place] ?? null);
    }
    if (come.length && this.shown.length > LIVE_ROWS && !this.loading) this.#letGo();
    this.places = new Map(this.shown.map((one, place) => [this.view.key(one), place]));
    suggestTables(come);
    $("news").hidden = true;
    return this.#put(known) || come.length > 0;
  }

  // The last rows; “Older” brings them back.
  #letGo() {
    for (const one of this.shown.splice(LIVE_ROWS)) this.left.delete(this.view.key(one));
    while ($("rows").rows.length > LIVE_ROWS) $("rows").lastElementChild.remove();
    this.cursor = this.shown.at(-1).id;
    $("older").hidden = false;
  }

  // What is looked at, as those who look know it.
  #looked() {
    return {
      view: this.view, shown: this.shown, places: this.places, atTheEnd: this.cursor === null, horizon: this.horizon, key: this.view.key,
      order: this.filters.get("order"), ask: (more, filters) => this.#ask(more, filters),
    };
  }
}
