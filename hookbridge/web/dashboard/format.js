// Elements, and values as texts. What comes from outside becomes text only, never markup.

export const $ = (id) => document.getElementById(id);

export function element(name, content = [], properties = {}) {
  const made = document.createElement(name);
  made.append(...[content].flat().filter((one) => one !== null && one !== undefined));
  for (const [key, value] of Object.entries(properties)) {
    if (key === "data") Object.assign(made.dataset, value);
    else if (key.startsWith("aria-")) made.setAttribute(key, value);
    else made[key] = value;
  }
  return made;
}

export const button = (text, press, properties = {}) =>
  element("button", text, { type: "button", onclick: press, ...properties });

export function ago(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 1) return "now";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
}

export const since = (time) => (time === null || time === undefined ? null : (Date.now() - new Date(time)) / 1000);
export const sinceEpoch = (seconds) => (seconds === null || seconds === undefined ? null : Date.now() / 1000 - seconds);

export function clock(time) {
  if (!time) return "–";
  const at = new Date(time);
  const today = at.toDateString() === new Date().toDateString();
  return today ? at.toLocaleTimeString() : at.toLocaleString();
}

export function duration(seconds) {
  if (seconds < 1) return `${Math.max(0, Math.round(seconds * 1000))} ms`;
  if (seconds < 90) return `${seconds.toFixed(1)} s`;
  return ago(seconds);
}

export const count = (number) => number.toLocaleString("en-US").replaceAll(",", " ");
export const rate = (number) => (number < 10 ? number.toFixed(1) : Math.round(number).toString());
export const json = (value) => JSON.stringify(value, null, 2);
export const CLASSES = { dead: "bad", open: "warn", applied: "good", present: "good", waiting: "warn" };

export function copyable(text) {
  const said = element("button", "Copy", { type: "button" });
  said.onclick = async () => {
    await navigator.clipboard.writeText(text);
    said.textContent = "Copied";
  };
  return element("div", [element("pre", text, { className: "curl" }), said], { className: "copyable" });
}
