// Keeps a JSON file equal to the copies: the records, and the place up to which they were told.
//
//   HOOKBRIDGE_URL=http://localhost:8080 HOOKBRIDGE_READ_TOKEN=… node consumer.mjs mine.json

import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';

const { HOOKBRIDGE_URL, HOOKBRIDGE_READ_TOKEN } = process.env;
const headers = { Authorization: `Bearer ${HOOKBRIDGE_READ_TOKEN}` };
const file = process.argv[2] ?? 'mine.json';
const mine = existsSync(file) ? JSON.parse(readFileSync(file)) : { since: '0', round: 1, records: {} };

for (;;) {
  const answer = await fetch(`${HOOKBRIDGE_URL}/api/v1/changes?limit=500&wait=30&since=${mine.since}`, { headers });
  const isGone = answer.status === 410; // the place: a snapshot, at whose end everything of earlier rounds goes
  if (!answer.ok && !isGone) throw new Error(`${answer.status}: ${await answer.text()}`); // whoever runs this starts it again
  const { changes, next } = isGone ? { changes: [], next: '0' } : await answer.json();
  for (const { type, source, table, id, data } of changes) {
    const name = `${source}:${table}:${id}`;
    if (type === 'upsert') mine.records[name] = { round: mine.round, data };
    if (type === 'delete') delete mine.records[name];
    if (type === 'snapshot_end')
      for (const one in mine.records) if (mine.records[one].round < mine.round) delete mine.records[one];
  }
  Object.assign(mine, { since: next, round: mine.round + isGone });
  writeFileSync(`${file}.new`, JSON.stringify(mine), { flush: true });
  renameSync(`${file}.new`, file); // at once: the records, and the place behind them
}
