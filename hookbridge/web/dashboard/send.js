// A test event: written here, tried or sent, and followed until it has ended.

import { recordNamed } from "./actions.js";
import { call, curl, send } from "./api.js";
import { copyable } from "./copying.js";
import { closeDialog, openDialog, sayIn, status } from "./dialog.js";
import { button, element, foreign } from "./format.js";
import { copyOf, followTo } from "./follow.js";

const SEND = "api/v1/events";
const TRY = "api/v1/webhooks/test";

function sample(table) {
  const record = { id: 1, name: "A test event", sent_at: new Date().toISOString() };
  return JSON.stringify({ event_type: "update", source: "supabase", table_name: table, record_id: "1", data: record }, null, 2);
}

export function sendTest(table, { changed, openEvent }) {
  const area = element("textarea", sample(table), { rows: 12, spellcheck: false, "aria-label": "Body" });
  const shown = element("div", copyable(curl("POST", SEND, area.value)));
  const said = status();
  const attempt = button("Only try", () => run(tried));
  const post = button("Send", () => run(sent), { className: "main" });
  const again = button("Send it again", () => run(sent), { className: "link" });
  area.addEventListener("input", () => {
    shown.replaceChildren(copyable(curl("POST", SEND, area.value)));
    [attempt.disabled, post.disabled] = [false, false];
    sayIn(said, "");
  });
  const dialog = openDialog("Send a test event", [
    element("p", "A webhook's body, in any format that the sources have. It needs no signature here: you have the admin token. " +
      "It is processed like every other one: the source has the last word, where there are credentials to ask it."),
    area, shown, said,
  ], [button("Close", closeDialog), attempt, post]);

  // One at a time. What was sent stays sent: the button is for another body, and the line has a word for the same one.
  async function run(what) {
    if (attempt.disabled && what === tried) return;
    [attempt.disabled, post.disabled, again.disabled] = [true, true, true];
    sayIn(said, "…");
    try {
      await what();
    } catch (error) {
      sayIn(said, error.message, "bad");
      post.disabled = false;
    }
    [attempt.disabled, again.disabled] = [false, false];
  }

  async function tried() {
    const trial = await call("POST", TRY, area.value);
    sayIn(said, foreign(trial.would_be_processed ? `It would be processed, for ${trial.records.join(", ")}` : `It would not be processed: ${trial.reason}`));
    post.disabled = false;
  }

  async function sent() {
    const trial = await call("POST", TRY, area.value); // names its records, so that their copies can be compared
    const records = trial.records.map(recordNamed);
    const before = await Promise.all(records.map(copyOf));
    const { headers } = await send("POST", SEND, area.value);
    const ids = headers.get("X-Hookbridge-Event").split(",");
    const known = headers.get("X-Hookbridge-Duplicate") === "true" ? ", known already" : "";
    ids.forEach((id, place) => told({ id, known, record: records[place], before: before[place] }, place === 0));
  }

  function told(made, first) {
    const line = element("span");
    if (first) sayIn(said, line);
    else said.append(element("br"), line);
    const tell = (words, level) => {
      line.className = level;
      line.replaceChildren(button(`Event ${made.id}`, () => { closeDialog(); openEvent(Number(made.id)); }, { className: "link" }), ": ", foreign(words), " ", first ? again : "");
    };
    followTo(tell, made, changed, () => dialog.open);
  }
}
