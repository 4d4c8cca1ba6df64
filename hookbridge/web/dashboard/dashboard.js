// The dashboard. All data comes from the API; text goes into the page as text only, never as markup.

const REFRESH_MS = 2000;
const PAGE_ROWS = 50;
const $ = (id) => document.getElementById(id);

let newest = 0;
let cursor = null;

// ---------------------------------------------------------------------------------------------------------------- token

function tokenOfAddress() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!given) return;
  sessionStorage.setItem("token", given);
  history.replaceState(null, "", location.pathname + location.search); // it stays out of the history and of copied links
}

function ask(refusal) {
  $("refused").textContent = refusal;
  if (!$("ask").open) $("ask").showModal();
}

async function call(method, path) {
  const headers = { Authorization: `Bearer ${sessionStorage.getItem("token") ?? ""}` };
  const answer = await fetch(path, { method, headers, cache: "no-store" });
  const body = await answer.json();
  if (answer.status === 401 || answer.status === 403) {
    ask(sessionStorage.getItem("token") ? "This token was refused." : "");
    throw new Error("the admin token is needed");
  }
  if (!answer.ok && answer.status !== 503) throw new Error(body.message ?? `HTTP ${answer.status}`);
  return body;
}

// --------------------------------------------------------------------------------------------------------------- health

function element(name, text, className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = className;
  return made;
}

function ago(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}

function verdict(ready, stats) {
  const down = ready.lanes.filter((lane) => lane.state !== "running").map((lane) => `${lane.source} is ${lane.state}`);
  if (!ready.inbox_writable) return ["bad", "The inbox cannot be written: webhooks are refused"];
  if (!stats.books_balanced) return ["bad", "The books do not balance"];
  if (down.length) return ["warn", down.join(", ")];
  if (stats.books.dead) return ["warn", `${stats.books.dead} dead letters`];
  if (stats.books.open) return ["good", `Working on ${stats.books.open} events`];
  return ["good", "Converged: every event that came in is settled"];
}

function showHealth(ready, stats) {
  const [className, text] = verdict(ready, stats);
  $("health").className = className;
  $("health").textContent = text;
  const lost = Object.entries(stats.webhook_loss).map(([table, loss]) => [`Lost webhooks, ${table}`, percent(loss)]);
  const figures = [
    ["Received", stats.books.received],
    ["Open", stats.books.open],
    ["Oldest open", ago(stats.oldest_open_event_age_seconds)],
    ["Applied", stats.books.applied],
    ["Coalesced", stats.books.coalesced],
    ["Dead letters", stats.books.dead],
    ["Duplicates", stats.duplicates],
    ...lost,
  ];
  $("figures").replaceChildren(...figures.map(([name, value]) => {
    const box = element("div", "");
    box.append(element("dt", name), element("dd", String(value)));
    return box;
  }));
}

function percent(loss) {
  const all = loss.announced + loss.missed;
  return all ? `${(100 * loss.share).toFixed(1)} %` : "–";
}

function showSources(lanes) {
  const focused = document.activeElement?.dataset?.lane;
  $("sources").replaceChildren(...lanes.map((lane) => {
    const row = element("li", "");
    const running = lane.state === "running";
    const action = running ? "pause" : "resume";
    const button = element("button", running ? "Pause" : "Resume");
    button.dataset.lane = lane.source;
    button.addEventListener("click", async () => {
      await call("POST", `api/v1/sources/${lane.source}/${action}`);
      await refresh();
    });
    row.append(element("strong", lane.source), element("span", lane.state, running ? "good" : "warn"));
    if (lane.reason) row.append(element("span", lane.reason));
    row.append(button);
    return row;
  }));
  if (focused) document.querySelector(`[data-lane="${focused}"]`)?.focus();
}

// --------------------------------------------------------------------------------------------------------------- events

function filters() {
  return new URLSearchParams([...new FormData($("filter"))].filter(([, value]) => value !== ""));
}

function eventRow(event) {
  const row = document.createElement("tr");
  row.tabIndex = 0;
  const state = event.outcome ?? event.state;
  const className = { dead: "bad", open: "warn", applied: "good" }[state] ?? "";
  const received = new Date(event.received_at).toLocaleTimeString();
  const cells = [received, event.source, event.table, event.record_id, event.type, event.origin];
  row.append(...cells.map((text) => element("td", text)), element("td", state, className));
  row.addEventListener("click", () => shown(open(event)));
  row.addEventListener("keydown", (press) => {
    if (press.key !== "Enter") return;
    press.preventDefault(); // or the same press closes what it has opened
    shown(open(event));
  });
  return row;
}

async function list(from) {
  const query = filters();
  history.replaceState(null, "", query.size ? `?${query}` : location.pathname);
  query.set("limit", PAGE_ROWS);
  if (from) query.set("cursor", from);
  const page = await call("GET", `api/v1/events?${query}`);
  const rows = page.events.map(eventRow);
  if (from) $("events").append(...rows);
  else {
    $("events").replaceChildren(...rows);
    newest = page.events[0]?.id ?? 0;
    $("news").hidden = true;
  }
  cursor = page.next_cursor;
  $("older").hidden = cursor === null;
  $("empty").hidden = $("events").rows.length > 0;
}

// What comes in is announced, not put in: the list must not move under its reader.
async function lookForNews() {
  const query = filters();
  query.set("limit", 1);
  const page = await call("GET", `api/v1/events?${query}`);
  const latest = page.events[0]?.id ?? 0;
  if (latest <= newest) return;
  if ($("events").rows.length === 0) await list(null);
  else {
    $("news").textContent = "There are newer events.";
    $("news").hidden = false;
  }
}

async function open(event) {
  const name = [event.source, event.table, event.record_id].map(encodeURIComponent).join("/");
  $("detail-title").textContent = `Event ${event.id} · ${event.source}:${event.table}:${event.record_id}`;
  $("detail-reason").textContent = event.reason ?? "";
  $("curl").textContent =
    `curl -X POST -H "Authorization: Bearer $HOOKBRIDGE_ADMIN_TOKEN" ${location.origin}/api/v1/events/${event.id}/replay`;
  $("replay").disabled = !["applied", "coalesced", "dead"].includes(event.outcome);
  $("replay").onclick = () => shown(replay(event));
  $("detail-event").textContent = "";
  $("detail-diff").textContent = "";
  $("compare").onclick = () => compare(name);
  $("detail").showModal();
  $("detail-event").textContent = JSON.stringify(await call("GET", `api/v1/events/${event.id}`), null, 2);
}

// Only when asked for: it reads the source.
async function compare(name) {
  try {
    $("detail-diff").textContent = JSON.stringify(await call("GET", `api/v1/records/${name}/diff`), null, 2);
  } catch (error) {
    $("detail-diff").textContent = error.message;
  }
}

async function replay(event) {
  await call("POST", `api/v1/events/${event.id}/replay`);
  $("detail").close();
  await Promise.all([list(null), refresh()]);
}

// ----------------------------------------------------------------------------------------------------------------- page

function shown(work) {
  work.catch((error) => {
    $("health").className = "bad";
    $("health").textContent = error.message;
  });
}

async function refresh() {
  const [ready, stats] = await Promise.all([call("GET", "readyz"), call("GET", "api/v1/webhooks/stats")]);
  showHealth(ready, stats);
  showSources(ready.lanes);
}

async function tick() {
  if (!document.hidden && !$("ask").open) {
    try {
      await Promise.all([refresh(), lookForNews()]);
    } catch (error) {
      $("health").className = "bad";
      $("health").textContent = error.message;
    }
  }
  setTimeout(tick, REFRESH_MS);
}

function start() {
  tokenOfAddress();
  for (const [name, value] of new URLSearchParams(location.search)) {
    const field = $("filter").elements.namedItem(name);
    if (field) field.value = value;
  }
  $("ask").addEventListener("close", () => {
    sessionStorage.setItem("token", $("token").value);
    $("token").value = "";
    shown(list(null).then(refresh));
  });
  $("ask").addEventListener("cancel", (press) => press.preventDefault()); // nothing can be shown without it
  $("filter").addEventListener("submit", (press) => press.preventDefault());
  $("filter").addEventListener("change", () => shown(list(null)));
  $("newest").addEventListener("click", () => shown(list(null)));
  $("older").addEventListener("click", () => shown(list(cursor)));
  if (sessionStorage.getItem("token")) shown(list(null));
  else ask("");
  tick();
}

start();
