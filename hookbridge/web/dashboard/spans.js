// A line of markdown as text nodes and a few elements around them. Notion's own tags are left out or followed, all others
// are text, and so is a link that is none of the web's.
//
// Time is linear in the line: it is read once, and of each kind of mark one is open at a time.

import { element, visibleLines } from "./format.js";

const PIECES = [
  String.raw`\\(?<escaped>[!-/:-@[-\x60{-~])`,
  String.raw`\$?\x60(?<code>[^\x60\n]+)\x60\$?`,
  String.raw`<(?<close>/?)(?<tag>[A-Za-z][\w-]*)(?<values>(?=[\s/>])(?:"[^"\n]*"|[^"<>\n])*)>`,
  String.raw`(?<open>!?\[)`,
  String.raw`\]\((?<target>(?:[^()\s]|\([^()\s]*\))*)(?:[ \t]+"[^"\n]*")?\)`,
  String.raw`(?<end>\])`,
  String.raw`(?<url>https?://[^\s<>()[\]{}\x60*|\\"]*[^\s<>()[\]{}\x60*|\\".,;:!?])`,
  String.raw`(?<mark>\*\*|\*|~~|(?<![\p{L}\p{N}])_+(?=\S)|(?<=\S)_+(?![\p{L}\p{N}]))`,
];
const SYNTAX = new RegExp(PIECES.join("|"), "gu");
const VALUES = /([\w-]+)="([^"]*)"/g;

const MARKS = { "**": "strong", "__": "strong", "*": "em", "_": "em", "~~": "s" };
const LEADING = new Set(["page", "database", "file", "pdf", "video", "audio", "image", "bookmark", "embed"]); // to something else
const QUIET = new Set(["span", "callout", "details", "summary", "columns", "column", "colgroup", "col", "synced_block", "synced_block_reference",
  "table_of_contents", "empty-block"]);

// What some tags show, by their values.
const SHOWN = {
  br: () => element("br"),
  unknown: ({ alt }) => element("span", `[something that has no text here${alt ? `: ${visibleLines(alt)}` : ""}]`, { className: "soft" }),
  "mention-date": ({ start, end }) => [start, end].filter(Boolean).join(" → "),
};

const isMention = (name) => name.startsWith("mention-");
export const isNotions = (name) => LEADING.has(name) || QUIET.has(name) || isMention(name) || name === "u" || Object.hasOwn(SHOWN, name);

// The address of a page of the web, or null.
export function webAddress(written) {
  try {
    const { protocol, href } = new URL(written);
    return protocol === "https:" || protocol === "http:" ? href : null;
  } catch {
    return null;
  }
}

// A link as text where it leads elsewhere than into the web.
function link(content, written, before = "") {
  const href = webAddress(written);
  if (href === null) return [before, ...content, ` (${written})`];
  return [element("a", nodes([before, ...content]), { href, target: "_blank", rel: "noopener noreferrer", title: visibleLines(href) })];
}

// Texts that touch become one node.
function nodes(parts) {
  const made = [];
  let text = "";
  for (const part of [...parts, null]) {
    if (typeof part === "string") {
      text += part;
      continue;
    }
    if (text) made.push(document.createTextNode(visibleLines(text)));
    text = "";
    if (part !== null) made.push(part);
  }
  return made;
}

class Line {
  // What is open: { kind, written, parts, … }, the outermost first; that at the bottom is the line itself.
  constructor() {
    this.open = [{ parts: [] }];
  }

  say(...parts) {
    this.open.at(-1).parts.push(...parts);
  }

  begin(kind, written, more = {}) {
    this.open.push({ kind, written, parts: [], ...more });
  }

  has(kind) {
    return this.open.some((one) => one.kind === kind);
  }

  // End what was opened last; as it was written, for it was no syntax.
  giveUp() {
    const { written, parts } = this.open.pop();
    this.say(written, ...parts);
  }

  // End what is open of a kind, and what was opened within it.
  end(kind, make) {
    while (this.open.at(-1).kind !== kind) this.giveUp();
    const ended = this.open.pop();
    this.say(...make(ended));
  }

  parts() {
    while (this.open.length > 1) this.giveUp();
    return nodes(this.open[0].parts);
  }
}

// The nodes of a line.
export function spans(text) {
  const line = new Line();
  let at = 0;
  for (const piece of text.matchAll(SYNTAX)) {
    if (piece.index > at) line.say(text.slice(at, piece.index));
    at = piece.index + piece[0].length;
    read(line, piece, text[piece.index - 1] ?? " ", text[at] ?? " ");
  }
  if (at < text.length) line.say(text.slice(at));
  return line.parts();
}

function read(line, { 0: written, groups }, before, after) {
  const { escaped, code, tag, open, target, end, url, mark } = groups;
  if (escaped !== undefined) line.say(escaped);
  else if (code !== undefined) line.say(element("code", visibleLines(code)));
  else if (tag !== undefined) readTag(line, written, groups);
  else if (open !== undefined) bracket(line, open);
  else if (target !== undefined) leads(line, written, target);
  else if (end !== undefined) closed(line, end);
  else if (url !== undefined) line.say(...(line.has("[") || line.has("leads") ? [url] : link([url], url)));
  else readMark(line, mark, before, after);
}

// Of brackets within brackets, the inner ones may be a link.
function bracket(line, written) {
  if (line.has("[")) line.end("[", (one) => [one.written, ...one.parts]);
  line.begin("[", written);
}

function closed(line, written) {
  if (line.has("[")) line.end("[", (one) => [one.written, ...one.parts, written]);
  else line.say(written);
}

function leads(line, written, target) {
  if (!line.has("[")) line.say(written);
  else line.end("[", (one) => link(one.parts.length ? one.parts : [target], target, one.written === "![" ? "Picture: " : ""));
}

function readMark(line, mark, before, after) {
  const name = MARKS[mark];
  const [follows, precedes] = [!/\s/.test(before), !/\s/.test(after)];
  if (name !== undefined && line.has(mark) && follows) line.end(mark, (one) => [element(name, nodes(one.parts))]);
  else if (name !== undefined && !line.has(mark) && precedes) line.begin(mark, mark);
  else line.say(mark);
}

function readTag(line, written, { close, tag, values }) {
  const name = tag.toLowerCase();
  const kind = name === "u" ? "u" : LEADING.has(name) || isMention(name) ? "leads" : "layout";
  const named = Object.fromEntries([...values.matchAll(VALUES)].map(([, key, value]) => [key, value]));
  const target = named.url ?? named.src ?? "";
  const make = (one) => enclosed(one, line.has("["));
  if (!isNotions(name)) line.say(written);
  else if (Object.hasOwn(SHOWN, name)) line.say(SHOWN[name](named));
  else if (close && line.has(kind)) line.end(kind, make);
  else if (!close && kind !== "layout" && values.endsWith("/")) line.say(...make({ kind, target, parts: [named.title ?? named.name ?? named.alt ?? name] }));
  else if (!close && kind !== "layout" && !line.has(kind)) line.begin(kind, "", { target });
}

// An address that only Notion knows is left out, for what it names is there; and there is no link within a link.
function enclosed({ kind, target, parts }, withinLink) {
  if (kind === "u") return [element("u", nodes(parts))];
  return withinLink || webAddress(target) === null ? parts : link(parts.length ? parts : [target], target);
}
