// What stands around the rows of a list: that they are on their way, that there are none, older or newer ones, and why not.

import { Refusal } from "./api.js";
import { $, count } from "./format.js";
import { NEWS_MAX } from "./latest.js";

// A list begins anew. `retry` says that it is asked for once more by itself: then the failure stands until it is there.
export function sayBegun({ narrowed, retry }) {
  $("list").style.minHeight = `${$("list").offsetHeight}px`; // the page keeps its length until the answer is there
  for (const id of ["news", "older", "empty", "partial"]) $(id).hidden = true;
  if (!retry) $("failed").hidden = true;
  $("clear").hidden = !narrowed;
  $("loading").hidden = retry;
}

// What was asked for has come, or has not.
export function sayEnded(older = "") {
  $("list").style.minHeight = "";
  $("loading").hidden = true;
  $("older").textContent = older;
}

export function sayPage({ more, complete }) {
  $("older").hidden = !more;
  $("failed").hidden = true;
  $("partial").hidden = complete;
}

// Texts and elements say why there is no row; null where there are some.
export function sayEmpty(why) {
  $("empty").hidden = why === null;
  if (why !== null) $("empty").replaceChildren(...[why].flat());
}

export function sayNews({ newer, anywhere }) {
  const [many, which] = anywhere ? [count(newer), "more"] : [newer >= NEWS_MAX ? `${NEWS_MAX} or more` : count(newer), "newer"];
  $("show-news").textContent = `${many} ${which} – show`;
  $("news").hidden = newer === 0;
}

// It goes with the next answer.
export function sayFailed(error) {
  const text = error instanceof Refusal ? `The list cannot be shown: ${error.message}` : error.message;
  if ($("failed").textContent !== text) $("failed").textContent = text;
  $("failed").hidden = false;
  $("empty").hidden = true;
}
