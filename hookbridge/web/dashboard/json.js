// JSON as it was written: every digit, every key, in its order. JSON.parse would round 9007199254740993 and sort "10"
// before "name", and whoever compares a copy with its source has to see what is there.

const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s{}[\],:"]+/g;
const OPENS = new Set(["{", "["]);
const CLOSES = new Set(["}", "]"]);

// The members of an object or an array, as [key, text]; an array's have no key.
export function members(text) {
  const found = [];
  let depth = 0;
  let key = null;
  let from = null;
  let end = 0;
  for (const { 0: sign, index } of text.matchAll(TOKENS)) {
    if (depth === 1 && (sign === ":" || sign === "," || CLOSES.has(sign))) {
      const passed = from === null ? null : text.slice(from, end);
      if (sign === ":") key = JSON.parse(passed);
      else if (passed !== null) found.push([key, passed]);
      from = null;
    } else if (depth === 1 && from === null) {
      from = index;
    }
    if (OPENS.has(sign)) depth += 1;
    if (CLOSES.has(sign)) depth -= 1;
    end = index + sign.length;
  }
  return found;
}

export const member = (text, name) => members(text).find(([key]) => key === name)?.[1];

export function pretty(text) {
  const signs = text.match(TOKENS) ?? [];
  const out = [];
  let depth = 0;
  const line = () => `\n${"  ".repeat(depth)}`;
  signs.forEach((sign, place) => {
    if (OPENS.has(sign)) {
      depth += 1;
      out.push(sign, CLOSES.has(signs[place + 1]) ? "" : line());
    } else if (CLOSES.has(sign)) {
      depth -= 1;
      out.push(OPENS.has(signs[place - 1]) ? "" : line(), sign);
    } else if (sign === ",") out.push(sign, line());
    else out.push(sign === ":" ? ": " : sign);
  });
  return out.join("");
}

// The same for every text of the same content. Notion's request_id names the request that read a page, not the page.
export const content = (text) =>
  JSON.stringify(members(text).filter(([key]) => key !== "request_id").map(([key, value]) => [key, (value.match(TOKENS) ?? []).join("")]).sort());
