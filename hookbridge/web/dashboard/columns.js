// Which columns or properties stand in the list of records: chosen from those that the records shown have, and kept in the
// address.

import { NeedsToken, call, recordPath } from "./api.js";
import { closeDialog, openDialog, sayIn, status } from "./dialog.js";
import { button, element, foreign, visible } from "./format.js";
import { columnsAs, columnsOf } from "./records.js";

const SHOWN_MAX = 6; // more are too narrow to be read
const TABLES_MAX = 8; // so many are asked what their records have

export async function chooseColumns(list, show) {
  const before = columnsOf(list.filters);
  const said = status();
  const boxes = element("div", [], { className: "choices" });
  const chosen = () => [...boxes.querySelectorAll(":checked")].map((box) => box.value);
  const apply = (names) => {
    closeDialog();
    show(withColumns(list.filters, names));
  };
  // It has nothing to say before it is known what there is.
  const take = button("Show", () => apply(chosen()), { className: "main", disabled: true });
  openDialog("Columns", [
    element("p", `Up to ${SHOWN_MAX} of what the records have. Title, table and last change are always there.`), boxes, said,
  ], [button("Cancel", closeDialog), button("None", () => apply([])), take]);
  sayIn(said, "Looking which there are…");
  try {
    offer(boxes, said, before, await existing(list.shown));
    take.disabled = false;
  } catch (error) {
    if (error instanceof NeedsToken) throw error;
    sayIn(said, error.message, "bad");
  }
}

function withColumns(filters, names) {
  const changed = new URLSearchParams(filters);
  changed.delete("columns");
  if (names.length) changed.set("columns", columnsAs(names));
  return changed;
}

function offer(boxes, said, before, found) {
  for (const name of before) if (!found.has(name)) found.set(name, new Set(["none of those shown"]));
  boxes.replaceChildren(...[...found].map(([name, labels]) => choice(name, labels, before.includes(name))));
  boxes.onchange = () => {
    const all = [...boxes.querySelectorAll("input")];
    const full = all.filter((box) => box.checked).length >= SHOWN_MAX;
    for (const box of all) box.disabled = full && !box.checked;
    sayIn(said, full ? `${SHOWN_MAX} are chosen: uncheck one for another.` : all.length ? "" : "No record is shown that has any.");
  };
  boxes.onchange();
  boxes.querySelector("input:enabled")?.focus();
}

// Name → the labels of the tables whose records have it, as one record of each table that is shown says.
async function existing(shown) {
  const ofTable = new Map(shown.filter((one) => one.present).map((one) => [`${one.source}:${one.table}`, one]));
  const found = new Map();
  const asked = [...ofTable.values()].slice(0, TABLES_MAX).map(async (one) => {
    const { values } = await call("GET", `${recordPath(one.source, one.table, one.id)}?values=1`);
    return [one.table_label, Object.keys(values).filter(Boolean)];
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
