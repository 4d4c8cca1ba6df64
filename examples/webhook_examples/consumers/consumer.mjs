// Keeps a JSON file equal to the copies: the records, and the place up to which they were told.
//
//   HOOKBRIDGE_URL=http://localhost:8080 HOOKBRIDGE_READ_TOKEN=… node consumer.mjs mine.json

import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';

const { HOOKBRIDGE_URL, HOOKBRIDGE_READ_TOKEN } = process.env;
const file = process.argv[2] ?? 'mine.json';
const mine = existsSync(file) ? JSON.parse(readFileSync(file)) : { since: '0', round: 1, records: {} };

for (;;) {
  const query = new URLSearchParams({ since: mine.since, limit: 500, wait: 30 });
  const headers = { Authorization: `Bearer ${HOOKBRIDGE_READ_TOKEN}` };
  const answer = await fetch(`${HOOKBRIDGE_URL}/api/v1/changes?${query}`, { headers });
  if (answer.status === 410) {
    mine.since = '0'; // the place is gone: a snapshot, at whose end everything of earlier rounds goes
    mine.round += 1;
  } else if (!answer.ok) {
    throw new Error(`${answer.status}: ${await answer.text()}`); // whoever runs this starts it again
  } else {
    const { changes, next } = await answer.json();
    for (const { type, source, table, id, data } of changes) {
      const name = `${source}:${table}:${id}`;
      if (type === 'upsert') mine.records[name] = { round: mine.round, data };
      if (type === 'delete') delete mine.records[name];
      if (type === 'snapshot_end') {
        const told = Object.entries(mine.records).filter(([, record]) => record.round === mine.round);
        mine.records = Object.fromEntries(told);
      }
    }
    mine.since = next;
  }
  writeFileSync(`${file}.new`, JSON.stringify(mine));
  renameSync(`${file}.new`, file); // at once: the records, and the place behind them
}
