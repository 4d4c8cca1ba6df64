// A call, or another text, to copy. Where the browser gives no clipboard (plain http from another machine), the text is selected instead.

import { button, element } from "./format.js";

export const copyable = (text, what = "The call as curl") =>
  element("div", [element("pre", text, { className: "curl", tabIndex: 0, "aria-label": what }), button("Copy", copy)], { className: "copyable" });

// It asks the press for its place: the button may have been put into another copy of the page's part.
async function copy({ currentTarget: pressed }) {
  const shown = pressed.previousElementSibling;
  try {
    await navigator.clipboard.writeText(shown.textContent);
    pressed.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(shown);
    pressed.textContent = "Selected: copy it";
  }
}
