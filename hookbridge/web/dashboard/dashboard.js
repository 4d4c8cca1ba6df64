// The page: what is asked when, and what a key or a press means.

import { NeedsToken, REPLAYABLE, call, keepToken, knownToken, tokenOfAddress } from "./api.js";
import { replayMatching, replayOne, sendTest, verifyRecord } from "./actions.js";
import { pressHours, showChart, startChart } from "./chart.js";
import { $ } from "./format.js";
import { showHealth, showSources } from "./health.js";
import { List } from "./list.js";
import { closePanel } from "./panel.js";

const REFRESH_MS = 2000;
const HISTORY_MS = 10000;

const list = new List(shown);
let hours = new URLSearchParams(location.search).get("hours") === "24" ? "24" : "1";
let historyAt = 0;
let perSecond = null;
let table = "users";

// ---------------------------------------------------------------------------------------------------------------- token

function ask(refusal) {
  $("refused").textContent = refusal;
  if (!$("ask").open) $("ask").showModal();
}

function failed(error) {
  if (error instanceof NeedsToken) return ask(knownToken() ? "This token was refused." : "");
  $("failed").textContent = error.message;
  $("failed").hidden = false;
}

async function shown(work) {
  $("failed").hidden = true;
  try {
    await work;
  } catch (error) {
    failed(error);
  }
}

// -------------------------------------------------------------------------------------------------------------- refresh

async function refresh() {
  const [ready, stats] = await Promise.all([call("GET", "readyz"), call("GET", "api/v1/webhooks/stats")]);
  if (!("tables" in ready)) throw new NeedsToken("The admin token is needed"); // a stranger is told less
  if (Date.now() - historyAt >= HISTORY_MS) await refreshHistory();
  table = ready.tables.find((one) => one.source === "supabase")?.table ?? table;
  showHealth(ready, stats, perSecond);
  showSources(ready, stats, () => shown(refresh()));
}

async function refreshHistory() {
  const found = await call("GET", `api/v1/history?hours=${hours}`);
  historyAt = Date.now();
  perSecond = found.per_second;
  showChart(found);
}

async function tick() {
  if (!document.hidden && !$("ask").open) {
    try {
      await Promise.all([refresh(), list.look()]);
    } catch (error) {
      if (error instanceof NeedsToken) failed(error);
      else {
        $("health").className = "bad";
        $("health").textContent = error.message;
      }
    }
  }
  setTimeout(tick, REFRESH_MS);
}

// ----------------------------------------------------------------------------------------------------------------- keys

function again() {
  const one = list.current;
  if (!one) return;
  const changed = () => shown(list.refreshed());
  if (list.name === "records") verifyRecord(one, changed);
  if (list.name === "events" && REPLAYABLE.includes(one.outcome)) replayOne(one, changed);
}

const KEYS = {
  j: () => list.move(1),
  k: () => list.move(-1),
  r: again,
  "/": () => ($("filter").elements.namedItem("q") ?? $("filter").elements[0])?.focus(),
  "?": () => $("keys").showModal(),
};

function pressed(press) {
  if (press.key === "Escape") {
    if (press.target.matches("input, select, textarea")) press.target.blur();
    else closePanel();
    return;
  }
  if (press.ctrlKey || press.metaKey || press.altKey || document.querySelector("dialog[open]")) return;
  if (press.target.matches("input, select, textarea") || !(press.key in KEYS)) return;
  press.preventDefault();
  KEYS[press.key]();
}

// ---------------------------------------------------------------------------------------------------------------- start

function turnTo(view, values) {
  closePanel();
  return list.turnTo(view, values);
}

function start() {
  tokenOfAddress();
  const values = new URLSearchParams(location.search);
  pressHours(hours);
  startChart((chosen) => {
    hours = chosen;
    const kept = new URLSearchParams(location.search);
    if (hours === "24") kept.set("hours", hours);
    else kept.delete("hours");
    history.replaceState(null, "", kept.size ? `?${kept}` : location.pathname);
    pressHours(hours);
    shown(refreshHistory());
  });
  $("ask").addEventListener("close", () => {
    keepToken($("token").value);
    $("token").value = "";
    shown(list.load().then(refresh));
  });
  $("ask").addEventListener("cancel", (press) => press.preventDefault()); // nothing can be shown without it
  $("filter").addEventListener("submit", (press) => press.preventDefault());
  $("filter").addEventListener("change", () => shown(list.load()));
  $("filter").addEventListener("search", () => shown(list.load()));
  $("show-news").addEventListener("click", () => shown(list.load()));
  $("older").addEventListener("click", () => shown(list.load(true)));
  $("replay-matching").addEventListener("click", () => shown(replayMatching(list.filters, () => shown(list.refreshed()))));
  $("test").addEventListener("click", () => sendTest(table, () => shown(list.refreshed())));
  $("help").addEventListener("click", () => $("keys").showModal());
  for (const tab of document.querySelectorAll("[data-view]")) tab.addEventListener("click", () => shown(turnTo(tab.dataset.view)));
  document.addEventListener("keydown", pressed);
  if (!knownToken()) ask("");
  shown(turnTo(values.get("view") ?? "events", values));
  tick();
}

start();
