// The rows that are selected, by their names: at most as many as one call of the API may name.

import { $, count } from "./format.js";

const SELECTED_MAX = 500;

export class Selection {
  constructor(list) {
    this.list = list;
    this.clear();
  }

  get size() { return this.selected.size; }
  get ids() { return [...this.selected.values()].map((one) => one.id); }

  clear() {
    this.selected = new Map(); // key → the row's one
    this.last = null; // the key of the row that was turned over last
    this.full = false;
  }

  // The row at this place is turned over; `through`, so become all from the one that was turned over last.
  turn(place, { through = false } = {}) {
    const { view, shown, places } = this.list;
    const key = view.key(shown[place]);
    const from = (through ? places.get(this.last) : undefined) ?? place;
    const on = !this.selected.has(key);
    for (let at = Math.min(from, place); at <= Math.max(from, place); at += 1) this.#set(shown[at], on);
    this.last = key;
    this.show();
  }

  all(on) {
    for (const one of this.list.shown) this.#set(one, on);
    this.show();
  }

  #set(one, on) {
    const key = this.list.view.key(one);
    this.full = on && this.size >= SELECTED_MAX && !this.selected.has(key);
    if (!on) this.selected.delete(key);
    else if (!this.full && this.list.view.selectable(one)) this.selected.set(key, one);
  }

  // A row has become this: what nothing can be done with any more is not selected either.
  update(one) {
    if (!this.selected.has(this.list.view.key(one))) return;
    this.#set(one, this.list.view.selectable(one));
  }

  show() {
    for (const row of $("rows").rows) {
      const box = row.querySelector(".pick input");
      if (box) box.checked = this.selected.has(row.dataset.key);
    }
    const head = $("columns").querySelector(".pick input");
    if (head) {
      head.checked = this.size > 0 && this.size === this.list.shown.filter(this.list.view.selectable).length;
      head.indeterminate = this.size > 0 && !head.checked;
    }
    $("selected").hidden = this.size === 0;
    $("selected-count").textContent = this.size ? `${count(this.size)} selected${this.full ? ", the most at once" : ""}` : "";
    $("dismiss-selected").hidden = ![...this.selected.values()].some((one) => one.outcome === "dead");
  }
}
