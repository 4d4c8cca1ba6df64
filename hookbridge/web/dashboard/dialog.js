// The one dialog of all actions: what is done, its call, how it went.

import { $, button, element } from "./format.js";
import { copyable } from "./copying.js";

export function openDialog(title, parts, buttons) {
  const dialog = $("action");
  dialog.oncancel = null;
  dialog.replaceChildren(element("h2", title, { id: "action-title" }), ...parts, element("div", buttons, { className: "buttons" }));
  if (!dialog.open) dialog.showModal();
  return dialog;
}

export const closeDialog = () => $("action").close();

export const status = () => element("p", "", { role: "status", className: "said" });

export function sayIn(line, content, level = "") {
  line.className = `said ${level}`;
  line.replaceChildren(...[content].flat());
}

// Ask, do it once, and hand on what was answered.
export function confirm({ title, text, shown, label, work, done }) {
  const said = status();
  const run = button(label, async () => {
    run.disabled = true;
    sayIn(said, "…");
    try {
      const answered = await work();
      closeDialog();
      done(answered);
    } catch (error) {
      sayIn(said, error.message, "bad");
      run.disabled = false;
    }
  }, { className: "main" });
  openDialog(title, [element("p", text), copyable(shown), said], [button("Cancel", closeDialog), run]);
  run.focus();
}
