// What stands above the lists, asked for again and again: how it is, the figures, the chart, the sources, the nodes.

import { NeedsToken, call, knownToken } from "./api.js";
import { pressHours, showChart } from "./chart.js";
import { showHealth } from "./health.js";
import { showNodes } from "./nodes.js";
import { showSources } from "./sources.js";
import { suggestTables } from "./views.js";

const HISTORY_MS = 10000;

export class Overview {
  constructor({ hours, changed }) {
    this.hours = hours; // so long is the chart
    this.changed = changed; // () → what a source's switch has changed is shown
    this.followed = false; // whether any table is
    this.table = "users"; // one of Supabase's, for an example
    this.perSecond = null;
    this.historyAt = 0;
    this.asked = 0;
  }

  async refresh() {
    const turn = ++this.asked;
    const [ready, stats] = await Promise.all([call("GET", "readyz"), call("GET", "api/v1/webhooks/stats")]);
    if (!("tables" in ready)) throw new NeedsToken("This token was refused."); // a stranger is told less
    if (Date.now() - this.historyAt >= HISTORY_MS) await this.#refreshHistory();
    if (turn !== this.asked) return; // a later look was faster
    this.table = ready.tables.find((one) => one.source === "supabase")?.table ?? this.table;
    this.followed = ready.tables.length > 0;
    suggestTables(ready.tables);
    showHealth(ready, stats, this.perSecond);
    showSources(ready, stats, this.changed);
    showNodes(ready.cluster);
  }

  async #refreshHistory() {
    const asked = this.hours;
    const found = await call("GET", `api/v1/history?hours=${asked}`);
    if (asked !== this.hours) return;
    this.historyAt = Date.now();
    this.perSecond = found.per_second;
    showChart(found);
  }

  turnChart(hours) {
    this.hours = hours;
    pressHours(hours);
    if (knownToken()) this.#refreshHistory().catch(() => { this.historyAt = 0; }); // the next look asks again, and says why not
  }
}
