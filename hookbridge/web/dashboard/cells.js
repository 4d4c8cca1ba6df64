// What the lists have in common: filters and cells. A cell is its content, and what its title says where that is cut.

import { CLASSES, element, foreign, moment, visible } from "./format.js";

export const SOURCE = ["source", "Source", ["supabase", "notion"]];
export const TABLE = ["table", "Table", "known-tables"];

export const plain = (...names) => names.map((name) => ({ name }));
export const word = (text) => [foreign(text ?? "–"), text ?? ""];
export const when = (time) => [moment(time), ""];
export const state = (name, why = null) => [[element("span", name, { className: CLASSES[name] ?? "" }), why ? element("span", [" ", foreign(why)], { className: "soft" }) : null], why ?? ""];
export const table = (one) => [foreign(one.table_label), one.table];

// Where a record is at home.
export const placed = (one) => element("span", [`${one.source} · `, foreign(one.table_label, { title: visible(one.table) })], { className: "soft" });

// What people call a record, and the id by which it is addressed; once where nobody calls it otherwise.
export const called = (title, id) => title === id ? foreign(id) : [foreign(title), " ", foreign(id, { className: "key" })];
export const named = (title, id) => [called(title, id), title === id ? id : `${title} · ${id}`];
