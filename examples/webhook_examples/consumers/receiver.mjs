// A destination: takes what hookbridge sends, and keeps a JSON file equal to the copies. The place is hookbridge's to keep.
//
//   HOOK_SECRET=whsec_… node receiver.mjs 3000 mine.json
//
// Try it on your machine: ./scripts/run listen --since start --forward-to localhost:3000 --secret-env HOOK_SECRET

import { createHmac, timingSafeEqual } from 'node:crypto';
import { existsSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname } from 'node:path';

const [, , port, file = 'mine.json'] = process.argv;
const key = Buffer.from(process.env.HOOK_SECRET.replace(/^whsec_/, ''), 'base64');
const folder = openSync(dirname(file));
const mine = existsSync(file) ? JSON.parse(readFileSync(file)) : { round: 0, records: {}, seqs: {} };

// Whether hookbridge signed this body, byte for byte, in the last five minutes (Standard Webhooks).
function isSigned(headers, body) {
  const { 'webhook-id': id, 'webhook-timestamp': sent, 'webhook-signature': signatures = '' } = headers;
  const expected = createHmac('sha256', key).update(`${id}.${sent}.`).update(body).digest();
  const isRight = (one) => {
    const given = Buffer.from(one.replace(/^v1,/, ''), 'base64');
    return given.length === expected.length && timingSafeEqual(given, expected);
  };
  return Math.abs(Date.now() / 1000 - sent) < 300 && signatures.split(' ').some(isRight);
}

function apply({ type, seq, source, table, id, data }) {
  const name = `${source}:${table}:${id}`;
  // What the snapshot tells has the number of its round, and at its end the rest goes.
  if (type === 'snapshot_begin') Object.assign(mine, { round: mine.round + 1, seqs: {} });
  if (seq < mine.seqs[name]) return; // of a request that was given up, and comes late
  if (source) mine.seqs[name] = seq; // of what is deleted, too
  if (type === 'upsert') mine.records[name] = { round: mine.round, data };
  if (type === 'delete') delete mine.records[name];
  if (type === 'snapshot_end') {
    mine.records = Object.fromEntries(Object.entries(mine.records).filter(([, one]) => one.round === mine.round));
  }
}

async function take(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  const body = Buffer.concat(parts);
  if (!isSigned(request.headers, body)) return 401;
  JSON.parse(body).changes.forEach(apply);
  writeFileSync(`${file}.new`, JSON.stringify(mine), { flush: true });
  renameSync(`${file}.new`, file);
  fsyncSync(folder); // on disk, under its name: the place is not kept here, and goes on behind what is answered with 2xx
  return 204; // only now: what is not comes again
}

createServer((request, response) => {
  take(request)
    .catch((error) => (console.error(error), 500))
    .then((status) => response.writeHead(status).end());
}).listen(Number(port), '127.0.0.1');
