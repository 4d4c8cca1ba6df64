// What the panels are made of.

import { curl, recordPath, text } from "./api.js";
import { copyable } from "./copying.js";
import { button, bytes, element, foreign, moment, visibleLines } from "./format.js";
import { member, members, pretty } from "./json.js";

const SHOWN_CHARACTERS = 20_000;
const SOURCE_MS = 45_000; // a source may take its time

export const heading = (words) => element("h3", words);

// A text from outside, of which a large one shows its beginning until more is asked for.
export function block(written) {
  if (written.length <= SHOWN_CHARACTERS) return element("pre", visibleLines(written), { tabIndex: 0 });
  const shown = element("pre", `${visibleLines(written.slice(0, SHOWN_CHARACTERS))}…`, { tabIndex: 0 });
  const more = button(`Show all (${bytes(written.length)})`, () => {
    shown.textContent = visibleLines(written);
    more.remove();
  });
  return element("div", [shown, more], { kept: written });
}

export const facts = (pairs) => element("dl", pairs.filter(Boolean).map(([name, value]) =>
  element("div", [element("dt", name), element("dd", typeof value === "string" ? foreign(value) : value)])), { className: "facts" });

// The comparison is made only when asked for: it reads the source.
export function comparison(record) {
  let path;
  try {
    path = `${recordPath(record.source, record.table, record.id)}/diff`;
  } catch (error) {
    return element("p", error.message, { className: "soft" });
  }
  const shown = element("div", [], { id: "diff", role: "status" });
  const compare = button("Compare now", async () => {
    compare.disabled = true;
    shown.replaceChildren(element("p", "Reading the source…", { className: "soft" }));
    try {
      shown.replaceChildren(...differences(await text("GET", path, undefined, { within: SOURCE_MS })));
    } catch (error) {
      shown.replaceChildren(element("p", error.message, { className: "bad" }));
    }
    compare.disabled = false;
  }, { id: "compare" });
  const asCurl = element("details", [element("summary", "as curl"), copyable(curl("GET", path))]);
  return element("div", [element("div", [compare, asCurl], { className: "buttons" }), shown], { kept: path });
}

function differences(answered) {
  const found = JSON.parse(answered);
  const read = found.copy_read_at ? ["; the copy is as read ", moment(found.copy_read_at)] : [];
  if (found.agrees) {
    const words = found.truth === null ? "Neither side has such a record." : "Copy and source are equal.";
    return [element("p", words, { className: "good" })];
  }
  const lines = members(member(answered, "differences")).flatMap(([, one]) => {
    const { path, copy, truth } = Object.fromEntries(members(one));
    return [line("del", "−", path, copy), line("ins", "+", path, truth)];
  });
  return [
    element("p", ["− what the copy has, + what the source has", ...read], { className: "soft" }),
    element("pre", lines.filter(Boolean), { className: "diff", tabIndex: 0 }),
  ];
}

const line = (name, sign, path, value) =>
  value === undefined ? null : element(name, visibleLines(`${sign} ${JSON.parse(path)}: ${pretty(value)}`));

