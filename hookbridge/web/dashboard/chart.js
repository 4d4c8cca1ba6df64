// What came in, what was applied, and the backlog, over an hour or a day.

import { $, clock, count, element, rate } from "./format.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 720;
const HEIGHT = 150;
const STEPS = { 1: 360, 24: 288 };

let shown = null;

export function showChart(history) {
  shown = history;
  const { samples, hours, step_seconds: seconds } = history;
  const most = Math.max(1, ...samples.map((one) => Math.max(one.received, one.applied)));
  const backlog = Math.max(1, ...samples.map((one) => one.open));
  const points = (value, top) => samples.map((one, place) => `${x(place, samples.length, hours)},${HEIGHT - 4 - (value(one) / top) * (HEIGHT - 12)}`);
  const open = points((one) => one.open, backlog);
  const first = x(0, samples.length, hours);
  $("chart").replaceChildren(
    line("polygon", samples.length ? [`${first},${HEIGHT}`, ...open, `${WIDTH},${HEIGHT}`] : [], "backlog"),
    line("polyline", points((one) => one.received, most), "received"),
    line("polyline", points((one) => one.applied, most), "applied"),
  );
  $("legend").replaceChildren(
    element("span", `received, at most ${rate(most / seconds)}/s`, { className: "received" }),
    element("span", "applied", { className: "applied" }),
    element("span", `backlog, at most ${count(backlog === 1 && !samples.some((one) => one.open) ? 0 : backlog)}`, { className: "backlog" }),
  );
  point(samples.length - 1);
}

const x = (place, number, hours) => WIDTH - ((number - 1 - place) / (STEPS[hours] - 1)) * WIDTH;

function line(kind, points, className) {
  const made = document.createElementNS(SVG, kind);
  made.setAttribute("points", points.join(" "));
  made.setAttribute("class", className);
  return made;
}

function point(place) {
  const one = shown?.samples[place];
  $("chart-values").textContent = one
    ? `${clock(one.at)}: ${count(one.received)} received, ${count(one.applied)} applied, ${count(one.open)} open`
    : "The first figures come ten seconds after the start";
}

export function startChart(chosen) {
  const chart = $("chart");
  chart.addEventListener("pointermove", (moved) => {
    if (!shown?.samples.length) return;
    const box = chart.getBoundingClientRect();
    const right = (1 - (moved.clientX - box.left) / box.width) * (STEPS[shown.hours] - 1);
    point(Math.max(0, Math.min(shown.samples.length - 1, shown.samples.length - 1 - Math.round(right))));
  });
  chart.addEventListener("pointerleave", () => point((shown?.samples.length ?? 0) - 1));
  for (const one of document.querySelectorAll("[data-hours]")) one.addEventListener("click", () => chosen(one.dataset.hours));
}

export function pressHours(hours) {
  for (const one of document.querySelectorAll("[data-hours]")) one.setAttribute("aria-pressed", String(one.dataset.hours === hours));
}
