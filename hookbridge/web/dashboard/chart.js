// What came in and what was applied, and below it the backlog; over an hour or a day, by time: where nothing was
// measured, nothing is drawn. What is younger than that fills the width. Steps are not all of one length, so that rates
// are drawn.

import { $, count, element, lasting, plural, rate } from "./format.js";
import { morphChildren } from "./morph.js";

const SVG = "http://www.w3.org/2000/svg";
const LEFT = 34;
const RIGHT = 10;
const TOP = 8;
const BOTTOM = 18; // the times
const BETWEEN = 20;
const BACKLOG_SHARE = 0.3;
const MIN_SPAN_STEPS = 3;
const EARLIER = 1.8; // of a step's length: what ended longer before its end than that did not end where it began
const TIME_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360].map((minutes) => minutes * 60_000);
const HOUR_MINUTE = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const SECOND = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

let shown = null;
let at = null; // the step that is pointed at; null is the last one

export function showChart(history) {
  shown = { ...history, samples: history.samples.map(placed) };
  if (at !== null && !shown.samples.some((one) => one.time === at)) at = null;
  draw();
}

function placed(one) {
  const seconds = one.step_seconds;
  return { ...one, time: Date.parse(one.at), step: seconds * 1000, receivedRate: one.received / seconds, appliedRate: one.applied / seconds };
}

function draw() {
  if (!shown) return;
  const box = $("chart").getBoundingClientRect();
  const [width, height] = [Math.max(200, Math.round(box.width)), Math.max(80, Math.round(box.height))];
  $("chart").setAttribute("viewBox", `0 0 ${width} ${height}`);
  const { samples } = shown;
  $("chart-empty").textContent = samples.length ? "" : `The first figures come ${shown.hours === 1 ? "ten seconds" : "a minute"} after the start`;
  const scale = scales(width, height);
  $("chart").replaceChildren(...(samples.length ? [...axes(scale), ...curves(scale), pointer(scale)] : []));
  $("chart").setAttribute("aria-label", summary());
  $("since").textContent = scale.young ? `since ${HOUR_MINUTE.format(scale.begin)}` : "";
  tell();
}

// Where a time and a value are.
function scales(width, height) {
  const { samples, hours } = shown;
  const end = samples.at(-1)?.time ?? Date.now();
  const step = samples.at(-1)?.step ?? 0;
  const begin = samples.length ? samples[0].time - samples[0].step : end;
  const span = Math.min(hours * 3_600_000, Math.max(end - begin, MIN_SPAN_STEPS * step));
  const inner = height - TOP - BOTTOM - BETWEEN;
  const split = TOP + inner * (1 - BACKLOG_SHARE);
  const most = nice(Math.max(...samples.map((one) => Math.max(one.receivedRate, one.appliedRate)), 0));
  const backlog = nice(Math.max(...samples.map((one) => one.open), 0), 1);
  return {
    width, height, begin, end, span, most, backlog, split, floor: height - BOTTOM,
    young: span < hours * 3_600_000 - (samples[0]?.step ?? 0),
    x: (time) => LEFT + (1 - (end - time) / span) * (width - LEFT - RIGHT),
    y: (perSecond) => split - (perSecond / most) * (split - TOP),
    yOpen: (open) => height - BOTTOM - (open / backlog) * (height - BOTTOM - split - BETWEEN),
  };
}

// The next round number above, at least `least`.
function nice(value, least = 0.1) {
  if (value <= least) return least;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((one) => one * power).find((one) => one >= value - 1e-9);
}

function drawn(name, attributes, text = "") {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

function axes(scale) {
  const line = (y) => drawn("path", { d: `M${LEFT} ${y}H${scale.width - RIGHT}`, class: "grid" });
  const label = (y, text) => drawn("text", { x: LEFT - 5, y: y + 3.5, class: "end" }, text);
  const marks = [
    line(scale.y(0)), line(scale.y(scale.most)), line(scale.floor),
    label(scale.y(scale.most), `${rate(scale.most)}/s`), label(scale.y(0), "0"),
    label(scale.yOpen(scale.backlog), count(scale.backlog)), label(scale.floor, "0"),
  ];
  const room = Math.max(2, Math.floor((scale.width - LEFT) / 90));
  const every = TIME_STEPS.find((one) => scale.span / one <= room) ?? TIME_STEPS.at(-1);
  const zone = new Date(scale.end).getTimezoneOffset() * 60_000; // round times of the reader's day
  for (let time = Math.ceil((scale.end - scale.span - zone) / every) * every + zone; time <= scale.end; time += every) {
    const x = scale.x(time);
    if (x < LEFT) continue;
    const edge = x > scale.width - 40 ? "end" : "middle";
    marks.push(drawn("path", { d: `M${x} ${TOP}V${scale.floor}`, class: "grid faint" }));
    marks.push(drawn("text", { x: edge === "end" ? scale.width - RIGHT : x, y: scale.height - 4, class: edge }, HOUR_MINUTE.format(time)));
  }
  return marks;
}

// Steps without a gap between them, as runs: a line never crosses what was not measured.
function runs() {
  const found = [];
  shown.samples.forEach((one, place) => {
    const before = shown.samples[place - 1];
    if (before && one.time - before.time < one.step * EARLIER) found.at(-1).push(one);
    else found.push([one]);
  });
  return found;
}

function curves(scale) {
  const through = (run, y) => {
    const points = run.map((one) => `${scale.x(one.time).toFixed(1)} ${y(one).toFixed(1)}`);
    return run.length === 1 ? `M${points[0]}h1` : `M${points.join("L")}`;
  };
  const area = (run, y, floor) => `${through(run, y)}V${floor}H${scale.x(run[0].time).toFixed(1)}Z`;
  const [received, applied, open] = [(one) => scale.y(one.receivedRate), (one) => scale.y(one.appliedRate), (one) => scale.yOpen(one.open)];
  return runs().flatMap((run) => [
    drawn("path", { d: area(run, received, scale.split), class: "received area" }),
    drawn("path", { d: through(run, received), class: "received" }),
    drawn("path", { d: through(run, applied), class: "applied" }),
    drawn("path", { d: area(run, open, scale.floor), class: "backlog area" }),
    drawn("path", { d: through(run, open), class: "backlog" }),
  ]);
}

function pointer(scale) {
  const one = pointed();
  const x = scale.x(one.time).toFixed(1);
  return drawn("path", { d: `M${x} ${TOP}V${scale.floor}`, class: at === null ? "pointer off" : "pointer" });
}

const pointed = () => shown.samples.find((one) => one.time === at) ?? shown.samples.at(-1);

// The values of one step, which are the legend as well.
function tell() {
  const one = pointed();
  morphChildren($("chart-values"), one ? [
    element("time", SECOND.format(one.time)), element("i", ` in ${lasting(one.step / 1000)}`), " ",
    ...[["received", one.received], ["applied", one.applied], ["open", one.open]].flatMap(([name, value]) => [element("span", `${count(value)} ${name}`, { className: name }), " "]),
  ] : []);
}

function summary() {
  const { samples, hours } = shown;
  if (!samples.length) return "Received, applied and backlog: no figures yet";
  const all = (name) => samples.reduce((sum, one) => sum + one[name], 0);
  const peak = samples.reduce((most, one) => (one.receivedRate > most.receivedRate ? one : most));
  const behind = samples.reduce((most, one) => (one.open > most.open ? one : most));
  return `Received, applied and backlog of the last ${hours === 1 ? "hour" : "24 hours"}: ${plural(all("received"), "event")} received, ` +
    `at most ${rate(peak.receivedRate)} a second at ${HOUR_MINUTE.format(peak.time)}; ${count(all("applied"))} applied; ` +
    `at most ${count(behind.open)} open${behind.open ? ` at ${HOUR_MINUTE.format(behind.time)}` : ""}. Arrow keys go from step to step.`;
}

export function startChart(chosen) {
  const chart = $("chart");
  chart.addEventListener("pointermove", (moved) => {
    if (!shown?.samples.length) return;
    const box = chart.getBoundingClientRect();
    const scale = scales(box.width, box.height);
    const distance = (one) => Math.abs(scale.x(one.time) - (moved.clientX - box.left));
    pointAt(shown.samples.reduce((best, one) => (distance(one) < distance(best) ? one : best)).time);
  });
  chart.addEventListener("pointerleave", () => pointAt(null));
  chart.addEventListener("blur", () => pointAt(null));
  chart.addEventListener("keydown", (press) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[press.key];
    if (!by || !shown?.samples.length) return;
    press.preventDefault();
    const place = shown.samples.indexOf(pointed()) + by;
    pointAt(shown.samples[Math.max(0, Math.min(shown.samples.length - 1, place))].time);
    $("announce").textContent = $("chart-values").textContent;
  });
  new ResizeObserver(draw).observe(chart);
  for (const one of document.querySelectorAll("[data-hours]")) one.addEventListener("click", () => chosen(one.dataset.hours));
}

function pointAt(time) {
  if (time === at) return;
  at = time;
  draw();
}

export function pressHours(hours) {
  for (const one of document.querySelectorAll("[data-hours]")) one.setAttribute("aria-pressed", String(one.dataset.hours === hours));
}
