// A body's markdown as elements, block by block: headings, paragraphs, lists, quotes, code, tables. Everything that
// came from outside is a text node; no picture is loaded.
//
// Notion's markdown has a line for each block, and indents by tabs what stands within another one. Any text is markdown:
// depth is bounded, and a block that is very long is shown as several.

import { element, visibleLines } from "./format.js";
import { isNotions, spans } from "./spans.js";

const LINE_MAX = 8_000; // a longer one is shown as several
const STRETCH = 20_000;
const TABLE_MAX = 200_000;
const DEPTH_MAX = 8;

const INDENTED = /^([ \t]*)(.*)$/s;
const FENCE = /^(`{3,}|~{3,}|\$\$)[^`$]*$/;
const HEADING = /^(#{1,6})[ \t]+(.*)$/;
const ITEM = /^(?:[-*+]|(\d{1,9})[.)])(?:[ \t]+(.*))?$/;
const BOX = /^\[([ xX])\](?:[ \t]+(.*))?$/;
const RULE = /^(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,})$/;
const BELOW_HEAD = /^\|(?:[ \t]*:?-+:?[ \t]*\|)+$/;
const TAG_ALONE = /^<(\/?)([A-Za-z][\w-]*)((?:"[^"]*"|[^"<>])*)>$/;
const CALLOUT = /^:{3,}(?:[ \t]*callout)?$/;
const TABLE = /^<table\b[^<>]*>/i;
const TABLE_ENDS = /<\/table>\s*$/i;
const AROUND_CELLS = /^(?:\s|<\/?(?:table|colgroup|col|thead|tbody|tr)\b[^<>]*>)*$/i;
const ATTRIBUTES = /\{(?:[ \t]*[\w-]+="[^"]*")+[ \t]*\}$/;

// Gives, stretch by stretch, the elements of a text, and how much of it has been read with them.
export function* blocks(text) {
  let read = new Blocks();
  let from = 0;
  for (const { line, end, whole } of lines(text)) {
    read.take(line, whole);
    if (end - from < (read.raw?.most ?? STRETCH)) continue;
    const goesOn = read.raw?.cut(read) ?? null;
    yield { nodes: read.made, end };
    read = new Blocks(goesOn);
    from = end;
  }
  read.raw?.show(read);
  yield { nodes: read.made, end: text.length };
}

// The lines; of a very long one its pieces, of which only the first is `whole`: it may begin with syntax.
function* lines(text) {
  let at = 0;
  while (at < text.length) {
    const found = text.indexOf("\n", at);
    const stop = found === -1 ? text.length : found;
    let whole = true;
    for (; stop - at > LINE_MAX; whole = false) {
      yield { line: text.slice(at, at + LINE_MAX), end: at + LINE_MAX, whole };
      at += LINE_MAX;
    }
    yield { line: text.slice(at, stop), end: stop + 1, whole };
    at = stop + 1;
  }
}

function depthOf(indent) {
  const tabs = indent.split("\t").length - 1;
  return Math.min(DEPTH_MAX, tabs + Math.floor((indent.length - tabs) / 2));
}

// Code: the lines between two fences, as they are.
class Fenced {
  most = STRETCH;
  lines = [];

  constructor(fence, indent) {
    this.fence = fence;
    this.indent = indent;
  }

  // Gives whether it ends with this line.
  take(line) {
    const said = line.trim();
    if (said.startsWith(this.fence) && !said.replaceAll(this.fence[0], "")) return true;
    this.lines.push(line.startsWith(this.indent) ? line.slice(this.indent.length) : line);
    return false;
  }

  show(blocks) {
    blocks.put(depthOf(this.indent), element("pre", visibleLines(this.lines.join("\n")), { tabIndex: 0 }));
  }

  // What has been read is shown, and the rest is code as well.
  cut(blocks) {
    this.show(blocks);
    return new Fenced(this.fence, this.indent);
  }
}

// One of Notion's tables; what only begins like one is shown line by line.
class Tagged {
  most = TABLE_MAX;
  lines = [];

  constructor(indent) {
    this.indent = indent;
  }

  take(line) {
    this.lines.push(line);
    return TABLE_ENDS.test(line);
  }

  show(blocks) {
    const rows = rowsOf(this.lines.join("\n"));
    if (rows !== null) blocks.put(depthOf(this.indent), table(rows, { closed: true }));
    else for (const line of this.lines) blocks.line(line, true);
  }

  cut(blocks) {
    this.show(blocks);
    return null;
  }
}

// The cells of each row; null where anything stands outside of them.
function rowsOf(text) {
  const [before, ...cells] = text.split(/<t[dh]\b[^<>]*>/i).map((one) => one.split(/<\/t[dh]>/i));
  if (!TABLE_ENDS.test(text) || before.length > 1 || !AROUND_CELLS.test(before[0])) return null;
  const rows = [[]];
  for (const [cell, behind, ...more] of cells) {
    if (behind === undefined || more.length || !AROUND_CELLS.test(behind)) return null;
    rows.at(-1).push(cell.trim());
    if (/<tr\b/i.test(behind)) rows.push([]);
  }
  return rows;
}

class Blocks {
  constructor(raw = null) {
    this.raw = raw; // what is open, and is read to its end
    this.made = [];
    this.within = []; // depth → the element in which deeper blocks stand
  }

  // Put a block at its depth: into the nearest one that is less deep, or at the top.
  put(depth, made, { holds = false } = {}) {
    this.within.length = Math.min(this.within.length, depth);
    const parent = this.within.findLast(Boolean);
    if (parent) parent.append(made);
    else this.made.push(made);
    if (holds) this.within[depth] = made;
  }

  // The block above, where this one goes on with it.
  before(depth) {
    const parent = this.within.slice(0, depth).findLast(Boolean);
    return parent ? parent.lastElementChild : this.made.at(-1);
  }

  take(line, whole) {
    if (this.raw === null) {
      const [, indent, said] = INDENTED.exec(line);
      const [, fence] = FENCE.exec(said) ?? [];
      if (whole && fence) {
        this.raw = new Fenced(fence, indent);
        return;
      }
      if (!whole || !TABLE.test(said)) {
        this.line(line, whole);
        return;
      }
      this.raw = new Tagged(indent);
    }
    if (!this.raw.take(line)) return;
    this.raw.show(this);
    this.raw = null;
  }

  line(line, whole) {
    const [, indent, written] = INDENTED.exec(line);
    const depth = depthOf(indent);
    const said = written.trimEnd().replace(ATTRIBUTES, "").trimEnd();
    const [, marks, title] = HEADING.exec(said) ?? [];
    if (!whole) this.put(depth, paragraph(said));
    else if (said === "" || CALLOUT.test(said)) this.pause();
    else if (RULE.test(said)) this.put(depth, element("hr"));
    else if (marks) this.put(depth, element(`h${Math.min(6, marks.length + 3)}`, spans(title), { dir: "auto" }));
    else if (said.startsWith(">")) this.quote(depth, said.replace(/^(?:>[ \t]*)+/, ""));
    else if (ITEM.test(said)) this.item(depth, said);
    else if (said.startsWith("|") && said.endsWith("|") && said.length > 1) this.row(depth, said);
    else if (!this.tag(depth, said)) this.put(depth, paragraph(said));
  }

  // An empty line ends a quote, and no list.
  pause() {
    if (this.within.at(-1)?.nodeName === "BLOCKQUOTE") this.within.pop();
  }

  quote(depth, said) {
    const above = this.before(depth);
    if (above?.nodeName === "BLOCKQUOTE" && this.within[depth] === above) above.append(paragraph(said));
    else this.put(depth, element("blockquote", paragraph(said)), { holds: true });
  }

  item(depth, said) {
    const [, number, words = ""] = ITEM.exec(said);
    const name = number === undefined ? "UL" : "OL";
    const above = this.before(depth);
    let list = above;
    if (above?.nodeName !== name || !this.within[depth]) {
      list = element(name, [], { start: number === undefined || Number(number) === 1 ? null : Number(number) });
      this.put(depth, list);
    }
    const [, box, todo = ""] = BOX.exec(words) ?? [];
    const item = element("li", box === undefined ? spans(words) : [checkbox(box !== " "), " ", ...spans(todo)], { dir: "auto", className: box === undefined ? null : "todo" });
    list.append(item);
    this.within.length = Math.min(this.within.length, depth);
    this.within[depth] = item;
  }

  row(depth, said) {
    const above = this.before(depth);
    const goesOn = above?.className === "table" && !above.closed;
    if (BELOW_HEAD.test(said)) return goesOn || this.put(depth, paragraph(said));
    const cells = said.slice(1, -1).split(/(?<!\\)\|/).map((one) => one.trim());
    if (goesOn) above.append(tableRow(cells));
    else this.put(depth, table([cells]));
    return undefined;
  }

  // A line that is one of Notion's tags alone: what stands within it is indented.
  tag(depth, said) {
    const [, close, name, rest] = TAG_ALONE.exec(said) ?? [];
    if (name === undefined || !isNotions(name.toLowerCase()) || rest.endsWith("/")) return false;
    if (close) this.within.length = Math.min(this.within.length, depth);
    else this.put(depth, element("div", [], { className: name.toLowerCase() === "callout" ? "callout" : null }), { holds: true });
    return true;
  }
}

const paragraph = (said) => element("p", spans(said), { dir: "auto" });

const checkbox = (done) => element("input", [], { type: "checkbox", checked: done, disabled: true, "aria-label": done ? "done" : "to do" });

// It is no <table>: the lists have theirs.
const table = (rows, more = {}) => element("div", rows.map(tableRow), { className: "table", role: "table", ...more });
const tableRow = (cells) => element("div", cells.map((one) => element("span", spans(one), { role: "cell", dir: "auto" })), { role: "row" });
