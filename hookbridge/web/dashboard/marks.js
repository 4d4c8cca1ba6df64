// The words around a match: the API puts each match into brackets, and a text may have brackets of its own.

import { element, foreign } from "./format.js";

const BRACKETS = /\[([^[\]]*)\]/gu;
const WORDS = /[\p{L}\p{N}\p{M}]+/gu;

const folded = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
const wordsOf = (query) => (folded(query).replace(/(^|\s)-\S+/gu, " ").match(WORDS) ?? []);

// Brackets with one of the words that were looked for are a mark, others belong to the text. Where letters are folded in
// another way than here, none has one: then each may be a mark.
export function marked(snippet, query) {
  const wanted = wordsOf(query);
  const hasOne = (inner) => wanted.some((one) => folded(inner).includes(one));
  const pieces = [...snippet.matchAll(BRACKETS)];
  const meant = pieces.some((piece) => hasOne(piece[1])) ? pieces.filter((piece) => hasOne(piece[1])) : pieces;
  const parts = [];
  let at = 0;
  for (const { 0: whole, 1: inner, index } of meant) {
    parts.push(foreign(snippet.slice(at, index)), element("mark", foreign(inner)));
    at = index + whole.length;
  }
  return [...parts, foreign(snippet.slice(at))];
}
