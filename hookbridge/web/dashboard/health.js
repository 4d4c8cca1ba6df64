// The first line, the figures, and what needs somebody, as the service judges it.

import { destinationKey } from "./destination.js";
import { $, count, element, foreign, lasting, rate, since } from "./format.js";
import { morphChildren } from "./morph.js";

let announced = "";
let seenAt = null;

export function showHealth(ready, stats, perSecond) {
  seenAt = Date.now();
  document.body.classList.remove("stale");
  $("as-of").textContent = "";
  say(ready.verdict);
  morphChildren($("figures"), figures(ready, stats, perSecond));
  showAttention(ready.verdict, ready.warnings);
}

// No answer: what is shown is of then, and says so.
export function showSilence(error) {
  say({ level: "bad", kind: "silence", text: error.message });
  document.body.classList.add("stale");
  $("as-of").textContent = seenAt === null ? "" : `Figures as of ${new Date(seenAt).toLocaleTimeString()}`;
}

function say({ level, kind, text }) {
  $("health").className = level;
  if ($("health-text").textContent !== text) $("health-text").textContent = text;
  $("health-text").title = text;
  document.title = level === "good" || level === "idle" || level === "busy" ? "hookbridge" : `● ${text} – hookbridge`;
  if (announced === kind) return;
  announced = kind;
  $("announce").textContent = text; // read out when the verdict changes, not with every figure
}

function figures(ready, stats, perSecond) {
  const lost = Object.values(stats.webhook_loss);
  const missed = lost.reduce((sum, one) => sum + one.missed, 0);
  const changes = lost.reduce((sum, one) => sum + one.missed + one.announced, 0);
  const oldest = (times) => (times.length && times.every((at) => at !== null) ? lasting(Math.max(...times.map(since))) : "–");
  const { books } = stats;
  const age = stats.oldest_open_event_age_seconds;
  return [
    figure("Oldest open", lasting(age), { className: age > 60 ? "warn" : "" }),
    figure("Open", count(books.open), { filters: { state: "open" } }),
    figure("Received/s", perSecond ? rate(perSecond.received) : "–", { title: "Over the last minute" }),
    figure("Applied/s", perSecond ? rate(perSecond.applied) : "–", { title: "Over the last minute" }),
    figure("Received", count(books.received), { filters: {} }),
    figure("Applied", count(books.applied), { filters: { outcome: "applied" } }),
    figure(books.dead === 1 ? "Dead letter" : "Dead letters", count(books.dead), { className: books.dead ? "bad" : "", filters: { outcome: "dead" } }),
    figure("Last full poll", oldest(ready.tables.filter((one) => one.poll_gap_seconds !== null).map((one) => one.last_poll_at)), { title: "Since the last complete poll began, of the table that waits longest" }),
    figure("Last full sweep", oldest(ready.tables.map((one) => one.last_sweep_at)), { title: "Since the last complete sweep began, of the table that waits longest" }),
    figure("Webhooks lost", changes ? `${((100 * missed) / changes).toFixed(1)} %` : "–", { title: changes ? `${count(missed)} of ${count(changes)} changes that the reconciler has judged` : "Measured for the tables that are followed" }),
  ];
}

// To the events of these filters; dead letters are shown by their reasons.
function linkTo(words, { outcome, ...others }) {
  const [goto, which] = outcome === "dead" ? ["dead", { view: "dead", ...others }] : ["events", outcome ? { outcome, ...others } : others];
  return element("a", words, { href: `?${new URLSearchParams(which)}`, data: { goto } });
}

function linkToDestination(words, name) {
  return element("a", words, { href: `?${new URLSearchParams({ view: "destinations", open: destinationKey(name) })}`, data: { goto: "destinations" } });
}

function figure(name, value, { className = "", filters = null, title = null }) {
  const shown = filters === null ? value : linkTo(value, filters);
  return element("div", [element("dt", name), element("dd", shown, { className })], { title });
}

function showAttention({ problems, notes }, warnings) {
  const all = problems.length + warnings.length;
  $("attention-title").textContent = all ? `Needs attention (${all})` : "Nothing needs attention";
  const wrong = problems.map(({ level, text, todo, events, destination }) => element("li", [
    element("strong", foreign(text)), element("span", [" ", foreign(todo)]),
    events ? linkTo("Show them", events) : null,
    destination ? linkToDestination("Show it", destination) : null,
  ], { className: level }));
  const warned = warnings.map((text) => element("li", element("span", foreign(text)), { className: "warn" }));
  const said = notes.map((text) => element("li", foreign(text), { className: "soft" }));
  morphChildren($("attention"), [...wrong, ...warned, ...said]);
}
