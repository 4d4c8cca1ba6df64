// The text behind a record, as a reader sees it, and what there is to say of it: not read yet, not given, not all.

import { button, bytes, element, moment } from "./format.js";
import { blocks } from "./markdown.js";
import { heading } from "./sections.js";

const FIRST_CHARACTERS = 20_000;
const MORE_CHARACTERS = 200_000; // at each press

const STATES = {
  waiting: "It is still to be read.",
  refused: "The source gives none: see what its card says, and which capabilities the integration has.",
};

// The parts for an answer of the API about a record; none where its table asks for no text.
export function bodyOf({ content, content_state: state }) {
  if (state === "off") return [];
  if (content === null) return [heading("Body"), element("p", STATES[state], { className: "soft" })];
  const { markdown, truncated, edited_at: edited, links_expire_at: expire } = content;
  return [
    heading("Body"),
    element("p", ["As it was edited ", moment(edited), expire ? [". Links to files in it ", new Date(expire) > Date.now() ? "work until " : "have not worked since ", moment(expire)] : ""].flat(), { className: "soft" }),
    markdown.trim() ? shown(markdown) : element("p", "It is empty.", { className: "soft" }),
    truncated ? element("p", "There is more of it at the source than was read.", { className: "warn" }) : null,
  ].filter(Boolean);
}

// Its beginning, and more of it at each press.
function shown(markdown) {
  const read = blocks(markdown);
  const made = element("div", [], { className: "markdown" });
  const more = button("", () => show(MORE_CHARACTERS), { className: "link" });
  let reached = 0;
  function show(characters) {
    const until = reached + characters;
    while (reached < until) {
      const { value, done } = read.next();
      if (done) break;
      reached = value.end;
      made.append(...value.nodes);
    }
    more.hidden = reached >= markdown.length;
    more.textContent = `Show more (${bytes(reached)} of ${bytes(markdown.length)})`;
  }
  show(FIRST_CHARACTERS);
  return element("div", [made, more], { kept: markdown });
}
