// Each source: how its lane is, what is left of its budget, the tables that are followed, and its switch.

import { pauseOrResume } from "./actions.js";
import { $, ago, button, count, element, foreign, lasting, since, until } from "./format.js";
import { morphChildren } from "./morph.js";
import { DOWN, PAUSED, STANDBY, UP, stateOfLane } from "./words.js";

const LEVELS = { [UP]: "good", [DOWN]: "warn", [PAUSED]: "warn", [STANDBY]: "soft" };

export function showSources(ready, stats, done) {
  morphChildren($("sources"), ready.lanes.map((lane) => source(lane, ready, stats, done)));
}

function source(lane, ready, stats, done) {
  const state = stateOfLane(lane);
  const tables = ready.tables.filter((table) => table.source === lane.source);
  const turn = state === PAUSED ? "Resume" : "Pause";
  return element("li", [
    element("div", [
      element("h2", lane.source),
      element("span", state, { className: `state ${LEVELS[state] ?? "bad"}` }),
      element("span", [state !== UP && lane.since && since(lane.since) >= 1 ? `for ${lasting(since(lane.since))}` : "", budget(lane, ready.notion_budget)].filter(Boolean).join(" · "), { className: "soft" }),
      button(turn, () => pauseOrResume(lane.source, turn, done), { data: { lane: lane.source }, "aria-label": `${turn} ${lane.source}` }),
    ], { className: "head" }),
    lane.reason && state !== PAUSED ? element("p", [foreign(lane.reason), lane.next_probe_at && `. Asked again ${until(lane.next_probe_at)}`], { className: "soft" }) : null,
    lane.has_credentials ? null : element("p", "No credentials: nothing is verified", { className: "soft" }),
    lane.source === "supabase" && ready.pull ? outbox(ready.pull) : null,
    tables.length ? element("ul", tables.map((table) => followed(table, stats))) : element("p", "No table is followed", { className: "soft" }),
  ].filter(Boolean), { className: "card", data: { source: lane.source } });
}

// Changes that are taken from an outbox in the project's database, instead of being sent by it.
function outbox(pull) {
  const facts = [
    pull.waiting === null ? "not asked yet" : `${count(pull.waiting)} waiting`,
    pull.oldest_seconds ? `the oldest for ${lasting(pull.oldest_seconds)}` : null,
    pull.taken_at ? `taken ${ago(since(pull.taken_at))}` : null,
    pull.refused ? `${count(pull.refused)} refused` : null,
    pull.overflowed ? `${count(pull.overflowed)} not kept, swept for` : null,
    pull.reason,
    pull.hint,
  ].filter(Boolean);
  return element("p", [
    "Outbox ",
    element("span", pull.state, { className: { running: "good", refused: "bad" }[pull.state] ?? "warn" }),
    element("span", [" · ", foreign(facts.join(" · "))], { className: "soft" }),
  ], { data: { outbox: pull.state } });
}

function budget(lane, left) {
  if (lane.source !== "notion" || !lane.has_credentials) return "";
  return left.halted_seconds ? `halted for ${lasting(left.halted_seconds)}` : `${left.left} of ${left.requests_per_second} requests/s left`;
}

function followed(table, stats) {
  const loss = stats.webhook_loss[`${table.source}:${table.table}`];
  const listed = table.state === "backfilling" ? ` ${count(table.listed)}${table.total ? ` of ${count(table.total)}` : ""}` : "";
  const facts = [
    table.poll_gap_seconds === null ? null : `polled ${ago(since(table.last_poll_at))}`,
    `swept ${ago(since(table.last_sweep_at))}`,
    table.content && table.content.stored < table.content.total ? bodies(table.content) : null,
    loss && loss.announced + loss.missed ? `${(100 * loss.share).toFixed(1)} % of webhooks lost` : null,
    table.reason,
  ].filter(Boolean);
  return element("li", [
    foreign(table.table_label, { className: "cut", title: table.table }), " ",
    element("span", table.state + listed, { className: table.state === "following" ? "good" : "warn" }),
    element("span", [" · ", foreign(facts.join(" · "))], { className: "soft" }),
  ]);
}

function bodies(content) {
  const read = `${count(content.stored)} of ${count(content.total)} bodies`;
  if (content.refused) return `${read}: ${content.refused}`;
  return content.left_seconds === null ? read : `${read}, about ${lasting(content.left_seconds)} left`;
}
