// What a key means, where no dialog is open and nothing is being written.

import { REPLAYABLE } from "./api.js";
import { recordKey, replayOne, verifyRecord } from "./actions.js";
import { $ } from "./format.js";
import { panelKey } from "./panel.js";

export function startKeys({ list, hooks, openRow, closeSide, turnTo }) {
  const keys = {
    j: () => move(1),
    k: () => move(-1),
    x: () => list.select(),
    X: () => list.select({ through: true }),
    r: again,
    d: () => { if (list.current) list.view.dismiss?.(list.current, hooks); },
    l: () => { if (list.name === "events") $("live").click(); },
    "/": () => ($("filter").elements.namedItem("q") ?? $("filter").elements[0])?.focus(),
    "?": () => $("keys").showModal(),
  };

  function move(by) {
    const one = list.move(by);
    if (one && panelKey() !== null) openRow(one);
  }

  function again() {
    const one = list.current;
    if (!one) return;
    if (list.name === "records") verifyRecord(one, [recordKey(one)], hooks);
    list.view.again?.(one, hooks);
    if (list.name === "events" && REPLAYABLE.includes(one.outcome)) replayOne(one, hooks);
  }

  function leave(writes, target) {
    if (writes) target.blur();
    else if (!closeSide()) list.selectNone();
  }

  document.addEventListener("keydown", (press) => {
    if (press.ctrlKey || press.metaKey || press.altKey || document.querySelector("dialog[open]")) return; // a dialog has its own
    const writes = press.target.matches("input:not([type=checkbox]), select, textarea");
    if (press.key === "Escape") {
      leave(writes, press.target);
    } else if (!writes && press.key in keys) {
      press.preventDefault();
      keys[press.key]();
    }
  });

  $("views").addEventListener("keydown", (press) => {
    const tabs = [...document.querySelectorAll("[role=tab]")];
    const by = { ArrowRight: 1, ArrowLeft: -1 }[press.key];
    const to = { Home: tabs[0], End: tabs.at(-1) }[press.key] ?? (by && tabs[(tabs.indexOf(press.target) + by + tabs.length) % tabs.length]);
    if (!to) return;
    press.preventDefault();
    to.focus();
    turnTo(to.dataset.view);
  });
}
