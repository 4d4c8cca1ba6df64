// The panel at the side: one thing at a time, with the focus on its heading; when it closes, the focus goes back.
//
// A panel's content is built anew whenever what it shows may have changed, and becomes what it should be in place. An
// answer that comes late is for nobody: only the last thing that was asked for is shown.

import { NeedsToken } from "./api.js";
import { $, button, element } from "./format.js";
import { morphChildren } from "./morph.js";

const NARROW = matchMedia("(max-width: 69.99rem)"); // there the panel lies over the list, else beside it

let now = null; // { key, build, back, live }
let turn = 0;

export const panelKey = () => now?.key ?? null;
export const panelIs = (key) => now !== null && now.key === key;

// `build` gives { title, parts, live }; live is what may change by itself. `back` gives the focus back.
export async function openPanel({ key, build, back }) {
  const mine = ++turn;
  sayComing(true);
  let made;
  try {
    made = await build().catch(unshown);
  } finally {
    if (mine === turn) sayComing(false);
  }
  if (mine !== turn) return false;
  const first = now === null;
  now = { key, build, back, live: made.live, failed: made.failed };
  $("panel").replaceChildren(...frame(made));
  $("panel").scrollTop = 0;
  $("panel").hidden = false;
  if (first) layout();
  $("panel-title").focus({ preventScroll: true });
  return true;
}

export async function refreshPanel({ onlyLive = false } = {}) {
  const shown = now;
  if (shown === null || (onlyLive && !shown.live)) return;
  const made = await shown.build().catch(unshown);
  if (now !== shown || (made.failed && !shown.failed)) return; // what was shown is better than nothing
  [shown.live, shown.failed] = [made.live, made.failed];
  morphChildren($("panel"), frame(made));
}

function unshown(error) {
  if (error instanceof NeedsToken) throw error;
  return { title: "It cannot be shown", parts: [element("p", error.message, { className: "bad" }), said()], live: true, failed: true };
}

function frame({ title, parts }) {
  return [
    element("div", [
      element("h2", title, { id: "panel-title", tabIndex: -1 }),
      button("×", () => $("panel").dispatchEvent(new CustomEvent("shut")), { "aria-label": "Close", id: "panel-close" }),
    ], { className: "head sticky" }),
    element("div", parts.filter(Boolean), { className: "content" }),
  ];
}

// Gives whether there was something to close: a panel, or one on its way.
export function closePanel({ giveBack = true } = {}) {
  const comes = $("panel").getAttribute("aria-busy") === "true";
  turn += 1; // what is on its way does not open it again
  sayComing(false);
  if (now === null) return comes;
  const { back } = now;
  now = null;
  $("panel").hidden = true;
  layout();
  if (giveBack) back();
  return true;
}

// What was asked for is on its way, or is there: the panel says so, and whoever listens.
function sayComing(coming) {
  $("panel").setAttribute("aria-busy", String(coming));
  $("panel").dispatchEvent(new CustomEvent("coming", { detail: coming }));
}

// The list gets narrower or wider; the row that is being looked at stays where it is.
function layout() {
  const opened = now !== null;
  const row = document.querySelector("#rows [aria-current]");
  const before = row?.getBoundingClientRect().y;
  document.body.classList.toggle("split", opened);
  for (const part of document.querySelectorAll("header, main")) part.inert = opened && NARROW.matches;
  if (row) scrollBy({ top: row.getBoundingClientRect().y - before, behavior: "instant" });
}

NARROW.addEventListener("change", layout);

// ---------------------------------------------------------------------------------------------------- a word in it

// What came of an action, for the thing that is shown; it stays until another thing is.
export function saySo(key, content, level = "") {
  if (!panelIs(key)) return false;
  $("panel-said").className = level;
  $("panel-said").replaceChildren(...[content].flat());
  return true;
}

export const said = () => element("p", [], { id: "panel-said", role: "status", kept: "said" });
