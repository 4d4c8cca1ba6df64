// What an operator can do. Each action says what it does and shows its call as curl before it is done.

import { call, curl, recordPath } from "./api.js";
import { $, button, copyable, count, element } from "./format.js";

const PAGE = 500;

// Ask, do, and say how it went, all in one dialog.
function ask({ title, text, method = "POST", path, body, label, work, done }) {
  const dialog = $("action");
  const said = element("p", "", { role: "status" });
  const run = button(label, async () => {
    run.disabled = true;
    said.className = "";
    try {
      said.textContent = (await (work ?? (() => call(method, path, body)))(said)) ?? "Done";
      dialog.close();
      await done?.();
    } catch (error) {
      said.className = "bad";
      said.textContent = error.message;
      run.disabled = false;
    }
  }, { className: "main" });
  dialog.replaceChildren(
    element("h2", title), element("p", text), copyable(curl(method, path, body)), said,
    element("div", [button("Cancel", () => dialog.close()), run], { className: "buttons" }),
  );
  dialog.showModal();
  run.focus();
}

export function pauseOrResume(source, running, done) {
  const path = `api/v1/sources/${source}/${running ? "pause" : "resume"}`;
  const text = running
    ? "Nothing of it is processed until it is resumed, restarts included. Its webhooks go on being stored."
    : "What was stored meanwhile is processed now.";
  ask({ title: `${running ? "Pause" : "Resume"} ${source}`, text, path, label: running ? "Pause" : "Resume", done });
}

export function replayOne(event, done) {
  const again = event.outcome === "dead" ? "The dead letter is open again." : "It comes in anew, with the origin replay.";
  ask({
    title: `Process event ${event.id} again`,
    text: `${again} The record is read from its source, and copy, index and caches follow.`,
    path: `api/v1/events/${event.id}/replay`,
    label: "Process again",
    done,
  });
}

export function verifyRecord(record, done) {
  ask({
    title: `Read ${record.id} from ${record.source} now`,
    text: `Copy, index and caches of ${record.table} follow what the source has.`,
    path: `${recordPath(record.source, record.table, record.id)}/verify`,
    label: "Read it now",
    done,
  });
}

// Count first; then page by page, so that there is progress to see and a moment to stop.
export async function replayMatching(filters, done) {
  const which = Object.fromEntries([...filters].filter(([name]) => name !== "state"));
  const body = Object.keys(which).length ? which : { all: true };
  const path = "api/v1/events/replay";
  const { matching } = await call("POST", path, { ...body, dry_run: true });
  const dialog = $("action");
  let stopped = false;
  dialog.addEventListener("close", () => { stopped = true; }, { once: true });
  ask({
    title: matching ? `Process ${count(matching)} events again` : "Nothing to process again",
    text: matching
      ? "Dead letters are open again; what was applied or coalesced comes in anew. What is open or was ignored is left alone."
      : "No event that is settled matches these filters.",
    path, body, done,
    label: matching ? `Process ${count(matching)} again` : "Close",
    work: matching ? (said) => pages(said) : async () => "",
  });

  async function pages(said) {
    const progress = element("progress", [], { max: matching, value: 0 });
    const stop = button("Stop", () => { stopped = true; });
    said.after(progress, stop);
    let replayed = 0;
    for (let cursor = null; !stopped;) {
      const page = await call("POST", path, { ...body, limit: PAGE, ...(cursor ? { cursor } : {}) });
      replayed += page.replayed;
      progress.value = replayed;
      said.textContent = `${count(replayed)} of ${count(matching)}`;
      cursor = page.next_cursor;
      if (cursor === null) break;
    }
    progress.remove();
    stop.remove();
  }
}

export function sendTest(table, done) {
  const record = { id: 1, name: "A test event", sent_at: new Date().toISOString() };
  const sample = { event_type: "update", source: "supabase", table_name: table, record_id: "1", data: record };
  const area = element("textarea", JSON.stringify(sample, null, 2), { rows: 14, spellcheck: false, "aria-label": "Body" });
  const shown = element("div", copyable(curl("POST", "api/v1/events", JSON.stringify(sample))));
  const said = element("p", "", { role: "status" });
  area.addEventListener("input", () => shown.replaceChildren(copyable(curl("POST", "api/v1/events", area.value))));
  const attempt = (path, tell) => async () => {
    said.className = "";
    try {
      tell(await call("POST", path, area.value));
    } catch (error) {
      said.className = "bad";
      said.textContent = error.message;
    }
  };
  const tried = (trial) => {
    said.textContent = trial.would_be_processed ? `It would be processed, for ${trial.records.join(", ")}` : `It would not be processed: ${trial.reason}`;
  };
  const dialog = $("action");
  dialog.replaceChildren(
    element("h2", "Send a test event"),
    element("p", "A webhook's body, in any format that the sources have. It needs no signature here: you have the admin token. " +
      "It is processed like every other one: the source has the last word, where there are credentials to ask it."),
    area, shown, said,
    element("div", [
      button("Cancel", () => dialog.close()),
      button("Only try", attempt("api/v1/webhooks/test", tried)),
      button("Send", attempt("api/v1/events", () => { dialog.close(); done(); }), { className: "main" }),
    ], { className: "buttons" }),
  );
  dialog.showModal();
}
