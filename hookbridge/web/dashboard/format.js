// Elements, and values as texts. What comes from outside becomes text only, never markup.

export const $ = (id) => document.getElementById(id);

export function element(name, content = [], properties = {}) {
  const made = document.createElement(name);
  made.append(...[content].flat().filter((one) => one !== null && one !== undefined));
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined) continue;
    if (key === "data") Object.assign(made.dataset, value);
    else if (key.includes("-") || key === "role") made.setAttribute(key, value);
    else made[key] = value;
  }
  return made;
}

export const button = (text, press, properties = {}) =>
  element("button", text, { type: "button", onclick: press, ...properties });

// ------------------------------------------------------------------------------------------- what others have written

// Characters that show nothing, or turn the direction of what follows: they are written out. The two joiners stay, for
// scripts and emoji are made with them.
const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g;
const HIDDEN_BUT_LINES = new RegExp(HIDDEN.source.replace("\\u0000-\\u001f", "\\u0000-\\u0008\\u000b-\\u001f"), "g");
const writtenOut = (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`;

export const visible = (text) => String(text).replace(HIDDEN, writtenOut);
export const visibleLines = (text) => String(text).replace(HIDDEN_BUT_LINES, writtenOut);

// A text from outside within a sentence of ours: it cannot turn the sentence around.
export const foreign = (text, properties = {}) => element("bdi", visible(text), properties);

// -------------------------------------------------------------------------------------------------------------- numbers

export const count = (number) => number.toLocaleString("en-US").replaceAll(",", "\u202f");
export const rate = (number) => (number === 0 ? "0" : number < 10 ? number.toFixed(1) : count(Math.round(number)));
export const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;

export function bytes(number) {
  if (number < 1000) return `${number} B`;
  return number < 1e6 ? `${Math.round(number / 1000)} kB` : `${(number / 1e6).toFixed(1)} MB`;
}

// ---------------------------------------------------------------------------------------------------------------- times

export function lasting(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 1) return "< 1 s";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
}

export const ago = (seconds) => (seconds === null ? "never" : seconds < 1 ? "just now" : `${lasting(seconds)} ago`);

// The seconds since a time of the API, which is ISO 8601; null since none.
export const since = (time) => (time === null || time === undefined ? null : Math.max(0, (Date.now() - new Date(time)) / 1000));

// When a time of the API comes.
export function until(time) {
  const left = (new Date(time) - Date.now()) / 1000;
  return left > 1 ? `in ${lasting(left)}` : "now";
}

export function took(seconds) {
  if (seconds < 1) return `${Math.max(0, Math.round(seconds * 1000))} ms`;
  return seconds < 90 ? `${seconds.toFixed(1)} s` : lasting(seconds);
}

const TIME = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const WHOLE = new Intl.DateTimeFormat(undefined, {
  weekday: "short", year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit",
  fractionalSecondDigits: 3, timeZoneName: "long",
});

function clock(time) {
  const at = new Date(time);
  return at.toDateString() === new Date().toDateString() ? TIME.format(at) : `${DAY.format(at)} ${TIME.format(at)}`;
}

// A moment, short; date and zone are in its title.
export function moment(time) {
  if (!time) return "–";
  return element("time", clock(time), { dateTime: new Date(time).toISOString(), title: WHOLE.format(new Date(time)) });
}

export const CLASSES = { dead: "bad", open: "warn", applied: "good", present: "good", waiting: "warn", up: "good", down: "warn", behind: "warn", paused: "warn", refused: "bad", stopped: "bad" };
