// Which columns or properties stand in the list of records: chosen from those that the records shown have, and kept in the
// address.

import { call, recordPath } from "./api.js";
import { closeDialog, openDialog, sayIn, status } from "./dialog.js";
import { button, element, foreign, visible } from "./format.js";
import { columnsAs, columnsOf } from "./records.js";

const SHOWN_MAX = 6; // more are too narrow to be read
const TABLES_MAX = 8; // so many are asked what their records have

export async function chooseColumns(list, show) {
  const said = status();
  const boxes = element("div", [], { className: "choices" });
  const apply = (names) => {
    const filters = new URLSearchParams(list.filters);
    filters.delete("columns");
    if (names.length) filters.set("columns", columnsAs(names));
    closeDialog();
    show(filters);
  };
  const chosen = () => [...boxes.querySelectorAll(":checked")].map((box) => box.value);
  const dialog = openDialog("Columns", [
    element("p", `Up to ${SHOWN_MAX} of what the records have. Title, table and last change are always there.`), boxes, said,
  ], [button("Cancel", closeDialog), button("None", () => apply([])), button("Show", () => apply(chosen()), { className: "main" })]);
  sayIn(said, "Looking which there are…");
  const found = await existing(list.shown).catch((error) => sayIn(said, error.message, "bad"));
  if (!found || !said.isConnected || !dialog.open) return;
  sayIn(said, found.size ? "" : "No record is shown that has any.");
  const before = columnsOf(list.filters);
  for (const name of before) if (!found.has(name)) found.set(name, new Set(["none of those shown"]));
  boxes.replaceChildren(...[...found].map(([name, labels]) => choice(name, labels, before.includes(name))));
  const bound = () => {
    const full = chosen().length >= SHOWN_MAX;
    for (const box of boxes.querySelectorAll("input")) box.disabled = full && !box.checked;
    sayIn(said, full ? `${SHOWN_MAX} are chosen: uncheck one for another.` : "");
  };
  boxes.onchange = bound;
  bound();
  boxes.querySelector("input:enabled")?.focus();
}

// Name → the labels of the tables whose records have it, as one record of each table that is shown says.
async function existing(shown) {
  const ofTable = new Map(shown.filter((one) => one.present).map((one) => [`${one.source}:${one.table}`, one]));
  const found = new Map();
  const asked = [...ofTable.values()].slice(0, TABLES_MAX).map(async (one) => {
    const { values } = await call("GET", `${recordPath(one.source, one.table, one.id)}?values=1`);
    return [one.table_label, Object.keys(values)];
  });
  for (const [label, names] of await Promise.all(asked)) {
    for (const name of names) found.set(name, (found.get(name) ?? new Set()).add(label));
  }
  return found;
}

function choice(name, labels, checked) {
  const box = element("input", [], { type: "checkbox", value: name, checked });
  return element("label", [box, " ", foreign(name), " ", foreign([...labels].join(", "), { className: "soft" })], { title: visible(name) });
}
