// The page: what is asked when, and what a press means.

import { NeedsToken, forgetToken, keepToken, knownToken, tokenOfAddress } from "./api.js";
import { recordKey, recordNamed } from "./actions.js";
import { go, here } from "./address.js";
import { sayFailed } from "./around.js";
import { startChart } from "./chart.js";
import { chooseColumns } from "./columns.js";
import { DISMISS } from "./dead.js";
import { destinationKey, destinationPanel } from "./destination.js";
import { eventPanel } from "./event.js";
import { $ } from "./format.js";
import { showSilence } from "./health.js";
import { startKeys } from "./keys.js";
import { Left, List } from "./list.js";
import { Overview } from "./overview.js";
import { closePanel, openPanel, panelIs, panelKey, refreshPanel } from "./panel.js";
import { recordPanel } from "./record.js";
import { REPLAY, replayMatching } from "./replay.js";
import { doInRounds } from "./rounds.js";
import { sendTest } from "./send.js";
import { VIEWS, looksOf } from "./views.js";

const REFRESH_MS = 2000;
const TYPING_MS = 250; // without a key, until a filter applies

const overview = new Overview({ hours: here().hours, changed });
const list = new List({ opened: openRow, context: () => overview });
const hooks = { changed, openEvent, openRecord, eventsOf, showEvents, scope: () => list.asked };
let typing = null; // the timer of a filter that is being typed
let typed = false; // whether what is typed stands in the address already

// --------------------------------------------------------------------------------------------------------------- token

function askForToken(refusal) {
  $("refused").textContent = refusal;
  if (!$("ask").open) $("ask").showModal();
}

function begin() {
  $("ask").close();
  follow({ first: true });
  watchHealth();
}

// What the list could not do stands above it; a token that is missing is asked for.
async function tell(work) {
  try {
    return await work;
  } catch (error) {
    if (error instanceof NeedsToken) askForToken(error.message);
    else if (!(error instanceof Left)) sayFailed(error);
    return null;
  }
}

// ------------------------------------------------------------------------------------------------------------- refresh

async function health() {
  try {
    await overview.refresh();
  } catch (error) {
    if (error instanceof NeedsToken) askForToken(error.message);
    else showSilence(error);
  }
}

async function lists(now = false) {
  const changedRows = await tell(list.look({ now }));
  await tell(refreshPanel({ onlyLive: !changedRows }));
}

// Again and again, each on its own: a slow list is no news of the health.
function watching(look) {
  let timer = null;
  return async function watch() {
    clearTimeout(timer);
    try {
      if (!document.hidden && knownToken() && !$("ask").open) await look();
    } finally {
      clearTimeout(timer);
      timer = setTimeout(watch, REFRESH_MS);
    }
  };
}

const watchHealth = watching(health);
const watchLists = watching(() => lists());

function changed() {
  health();
  lists(true);
}

// ------------------------------------------------------------------------------------------------------ where one looks

function closeSide() {
  const closed = closePanel();
  if (closed) go({ open: null });
  return closed;
}

async function open(panel, name) {
  const first = panelKey() === null;
  const opened = await tell(openPanel({ ...panel, back: () => list.focus() }));
  if (!opened || here().open === name) return;
  go({ open: name }, { push: first }); // so that "back" closes it, as on a phone
}

function openRow(one) {
  return open(list.view.panel(one, hooks), list.view.name(one));
}

function openEvent(id) {
  const row = list.name === "events" ? list.shown.find((one) => one.id === id) : undefined;
  list.choose(row ? list.view.key(row) : null);
  return open(eventPanel(id, hooks), String(id));
}

function openRecord(record) {
  return open(recordPanel(record, hooks), recordKey(record));
}

function eventsOf({ source, table: of, id }) {
  showEvents(new URLSearchParams({ source, table: of, record_id: id }));
}

function showEvents(filters) {
  turnTo("events", filters);
  list.focus();
}

function turnTo(view, filters) {
  endTyping();
  closePanel({ giveBack: false });
  const loading = tell(list.turnTo(view, filters));
  go({ view: list.name, filters: list.filters, open: null }, { push: true });
  return loading;
}

// What is typed applies as it grows, and is one step of the way back, however often it applied on its way.
function type() {
  clearTimeout(typing);
  typing = setTimeout(() => {
    if (filter({ push: !typed })) typed = true;
  }, TYPING_MS);
}

function chooseFilters() {
  filter({ push: !typed });
  endTyping();
}

function sort({ target }) {
  const { order } = target.closest("button")?.dataset ?? {};
  if (order === undefined) return;
  $("filter").elements.namedItem("order").value = order;
  chooseFilters();
}

function endTyping() {
  clearTimeout(typing);
  typed = false;
}

function filter({ push }) {
  if (!list.takeFilters()) return false;
  closePanel({ giveBack: false });
  go({ filters: list.filters, open: null }, { push });
  tell(list.load());
  return true;
}

// Back and forward, and the first time: the page becomes what the address says.
async function follow({ first = false } = {}) {
  endTyping();
  const { view, filters, open: name, hours: chosen, live } = here();
  turnLive(live);
  if (chosen !== overview.hours || first) overview.turnChart(chosen);
  if (first || (view in VIEWS ? view : "events") !== list.name || String(filters) !== String(list.filters)) await tell(list.turnTo(view, filters));
  if (name) await openNamed(name);
  else closePanel();
}

function openNamed(name) {
  const panel = panelOf(name);
  return panel === null || panelIs(panel.key) ? null : open(panel, name);
}

function panelOf(name) {
  if (/^\d+$/.test(name)) return eventPanel(Number(name), hooks);
  if (name.startsWith(destinationKey(""))) return destinationPanel(name.slice(destinationKey("").length), hooks);
  const one = list.shown.find((row) => list.view.name(row) === name);
  if (one) return list.view.panel(one, hooks);
  return /^(rejected|dead):/.test(name) ? null : recordPanel(recordNamed(name), hooks); // of an earlier process, or done with
}

// New events come in by themselves, or wait to be shown.
function turnLive(live) {
  list.live = live;
  $("live").setAttribute("aria-pressed", String(live));
}

function pressedLive() {
  const live = !list.live;
  turnLive(live);
  go({ live });
  if (!live) return;
  toFirst();
  lists(true);
}

// What is selected is done with when it was done to all of it.
function doSelected(deed) {
  return tell(doInRounds(deed, { ids: list.selection.ids }, (all) => {
    if (all) list.selectNone();
    changed();
  }));
}

// --------------------------------------------------------------------------------------------------------------- start

function listen() {
  startChart((chosen) => {
    go({ hours: chosen });
    overview.turnChart(chosen);
  });
  $("ask").addEventListener("submit", () => {
    keepToken($("token").value);
    $("token").value = "";
    begin();
  });
  $("ask").addEventListener("cancel", (press) => press.preventDefault()); // nothing can be shown without it
  $("forget").addEventListener("click", () => {
    forgetToken();
    location.reload(); // and nothing that was shown stays
  });
  $("filter").addEventListener("submit", (press) => { press.preventDefault(); chooseFilters(); });
  $("filter").addEventListener("change", chooseFilters);
  $("filter").addEventListener("search", chooseFilters);
  $("filter").addEventListener("input", type);
  $("clear").addEventListener("click", () => turnTo(list.name, looksOf(list.filters)));
  $("columns").addEventListener("click", sort);
  $("choose-columns").addEventListener("click", () => tell(chooseColumns(list, (filters) => turnTo("records", filters))));
  $("show-news").addEventListener("click", showNews);
  $("older").addEventListener("click", () => tell(list.more()));
  $("replay-matching").addEventListener("click", () => tell(replayMatching(list.asked, changed)));
  $("test").addEventListener("click", () => sendTest(overview.table, hooks));
  $("help").addEventListener("click", () => $("keys").showModal());
  $("panel").addEventListener("shut", () => closeSide());
  $("panel").addEventListener("coming", ({ detail }) => list.showOpening(detail));
  $("scrim").addEventListener("click", () => closeSide());
  $("live").addEventListener("click", pressedLive);
  $("replay-selected").addEventListener("click", () => doSelected(REPLAY));
  $("dismiss-selected").addEventListener("click", () => doSelected(DISMISS));
  $("select-none").addEventListener("click", () => list.selectNone());
  for (const tab of document.querySelectorAll("[role=tab]")) tab.addEventListener("click", () => turnTo(tab.dataset.view));
  document.addEventListener("click", pressedLink);
  startKeys({ list, hooks, openRow, closeSide, turnTo });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) watchHealth(); });
  addEventListener("popstate", () => follow());
  addEventListener("hashchange", () => { if (tokenOfAddress()) begin(); });
}

function showNews() {
  closeSide();
  tell(list.load());
  toFirst();
}

const toFirst = () => scrollTo({ top: Math.min(scrollY, $("views").offsetTop) });

// A figure leads to its events, here; with a key held, in another tab, as links do.
function pressedLink(press) {
  const link = press.target.closest("a[data-goto]");
  if (!link || press.ctrlKey || press.metaKey || press.shiftKey || press.button !== 0) return;
  press.preventDefault();
  const { filters, open: name } = here(new URL(link.href).search);
  turnTo(link.dataset.goto, filters).then(() => name && openNamed(name));
  $("views").scrollIntoView({ block: "nearest" });
}

tokenOfAddress();
listen();
if (!knownToken()) askForToken("");
follow({ first: true });
watchHealth();
watchLists();
