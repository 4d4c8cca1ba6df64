// The first line: is it healthy? Then the figures, and each source with its switch.

import { pauseOrResume } from "./actions.js";
import { $, ago, button, count, element, rate, sinceEpoch } from "./format.js";

const NAMES = { running: "up", paused: "down", refused: "refuses our key", held: "paused" };

function verdict(ready, stats) {
  if (!ready.inbox_writable) return ["bad", "The inbox cannot be written: webhooks are refused"];
  if (!ready.ready) return ["bad", "Webhooks are refused: the disk is nearly full, or the service is stopping"];
  if (!stats.books_balanced) return ["bad", "The books do not balance"];
  const down = ready.lanes.filter((lane) => lane.state !== "running");
  if (down.length) return ["warn", down.map((lane) => `${lane.source} ${NAMES[lane.state]}`).join(", ")];
  const failing = ready.tables.filter((table) => table.state === "failing" || table.state === "paused");
  if (failing.length) return ["warn", failing.map((table) => `${table.table} ${table.state}`).join(", ")];
  if (stats.books.dead) return ["warn", `${count(stats.books.dead)} dead letters`];
  if (stats.books.open) return ["good", `Working on ${count(stats.books.open)} events`];
  return ["good", "Converged: every event that came in is settled"];
}

export function showHealth(ready, stats, perSecond) {
  const [className, text] = verdict(ready, stats);
  $("health").className = className;
  if ($("health").textContent !== text) $("health").textContent = text;
  document.title = className === "good" ? "hookbridge" : `● hookbridge: ${text}`;
  const lost = Object.values(stats.webhook_loss);
  const missed = lost.reduce((sum, one) => sum + one.missed, 0);
  const changes = lost.reduce((sum, one) => sum + one.missed + one.announced, 0);
  const oldest = (times) => (times.length && times.every((at) => at !== null) ? ago(sinceEpoch(Math.min(...times))) : "–");
  show("figures", [
    ["Oldest open event", ago(stats.oldest_open_event_age_seconds)],
    ["Open", count(stats.books.open)],
    ["Received/s", perSecond ? rate(perSecond.received) : "–"],
    ["Applied/s", perSecond ? rate(perSecond.applied) : "–"],
    ["Received", count(stats.books.received)],
    ["Applied", count(stats.books.applied)],
    ["Dead letters", count(stats.books.dead), stats.books.dead ? "bad" : ""],
    ["Last complete poll", oldest(ready.tables.filter((one) => one.poll_gap_seconds !== null).map((one) => one.last_poll_at))],
    ["Last complete sweep", oldest(ready.tables.map((one) => one.last_sweep_at))],
    ["Webhooks lost", changes ? `${((100 * missed) / changes).toFixed(1)} %` : "–"],
  ]);
  $("warnings").replaceChildren(...ready.warnings.map((one) => element("li", one)));
}

function show(id, figures) {
  $(id).replaceChildren(
    ...figures.map(([name, value, className = ""]) =>
      element("div", [element("dt", name), element("dd", value, { className })])),
  );
}

export function showSources(ready, stats, done) {
  const focused = document.activeElement?.dataset?.lane;
  $("sources").replaceChildren(...ready.lanes.map((lane) => source(lane, ready, stats, done)));
  if (focused) document.querySelector(`[data-lane="${focused}"]`)?.focus();
}

function source(lane, ready, stats, done) {
  const running = lane.state === "running";
  const said = [element("strong", lane.source), element("span", NAMES[lane.state], { className: running ? "good" : "warn" })];
  if (!running && lane.since) said.push(element("span", `for ${ago(sinceEpoch(lane.since))}`));
  if (!lane.has_credentials) said.push(element("span", "no credentials: nothing is verified", { className: "warn" }));
  const budget = ready.notion_budget;
  if (lane.source === "notion" && lane.has_credentials) {
    const left = budget.halted_seconds ? `halted for ${ago(budget.halted_seconds)}` : `${budget.left} of ${budget.requests_per_second} requests/s left`;
    said.push(element("span", left, { className: "soft" }));
  }
  const turn = button(running ? "Pause" : "Resume", () => pauseOrResume(lane.source, running, done), { data: { lane: lane.source } });
  const tables = ready.tables.filter((table) => table.source === lane.source).map((table) => followed(table, stats));
  return element("li", [
    element("div", [...said, turn], { className: "head" }),
    lane.reason ? element("p", lane.reason, { className: "soft" }) : null,
    tables.length ? element("ul", tables) : null,
  ], { className: "card" });
}

function followed(table, stats) {
  const loss = stats.webhook_loss[`${table.source}:${table.table}`];
  const lost = loss && loss.announced + loss.missed ? `, ${(100 * loss.share).toFixed(1)} % of webhooks lost` : "";
  const listed = table.state === "backfilling" ? ` ${count(table.listed)}${table.total ? ` of ${count(table.total)}` : ""}` : "";
  const passes = `polled ${ago(sinceEpoch(table.last_poll_at))} ago, swept ${ago(sinceEpoch(table.last_sweep_at))} ago`;
  const className = table.state === "following" ? "good" : "warn";
  return element("li", [
    element("span", table.table), " ", element("span", table.state + listed, { className }),
    element("span", `, ${passes}${lost}${table.reason ? `: ${table.reason}` : ""}`, { className: "soft" }),
  ]);
}
