// News of a list of records. What is shown stays where it is: what it has become is put there, and what has come is
// counted.

import { $ } from "./format.js";

const LATEST = 100;
const NAMED_MAX = 50; // so many that are missing are asked for by their names

// Gives { newer, known, anywhere }: how many there are that are not shown, what is known of those that are, and whether
// the new ones may stand between these.
export const lookAtRecords = (sight) => (sight.order === "changed" ? byChange(sight) : byKey(sight));

function inSight() {
  const boxes = [...$("rows").rows].map((row) => row.getBoundingClientRect());
  const from = Math.max(0, boxes.findIndex((box) => box.bottom > 0));
  const to = boxes.findLastIndex((box) => box.top < innerHeight) + 1;
  return [from, Math.max(to, Math.min(boxes.length, from + NAMED_MAX))];
}

// The stretch that is in sight, asked for again behind the row before it. What is missing there and was shown has left
// the filters.
async function byKey({ shown, places, atTheEnd, key, ask }) {
  const [from, to] = inSight();
  const before = shown[from - 1];
  const page = await ask({ limit: Math.min(500, to - from + NAMED_MAX), ...(before ? { cursor: key(before) } : {}) });
  const answered = page.records.map(key);
  const expected = shown.slice(from, to).map(key);
  const last = answered.findLastIndex((one) => expected.includes(one)); // what is behind it is the next stretch's
  const judged = page.next_cursor === null ? expected : expected.slice(0, expected.indexOf(answered[last]) + 1);
  const gone = judged.filter((one) => !answered.includes(one)).map((one) => shown[places.get(one)]);
  const whole = atTheEnd && to === shown.length;
  const fresh = page.records.slice(0, whole ? undefined : last + 1).filter((one) => !places.has(key(one)));
  return { newer: fresh.length, known: [...page.records, ...(await named(gone, ask))], anywhere: true };
}

// What has changed stands above what has not. Read from below, places become smaller; a record that breaks this has been
// moved to its new place by a change.
async function byChange({ shown, places, atTheEnd, key, ask }) {
  const page = await ask({ limit: LATEST });
  const answered = page.records.map(key);
  const whole = page.next_cursor === null;
  let reached = whole ? shown.length : 0; // so many of those that are shown would have been answered
  let lowest = Infinity;
  let newer = 0;
  for (const place of answered.map((one) => places.get(one)).toReversed()) {
    if (place === undefined || place > lowest) {
      newer += 1;
      continue;
    }
    if (lowest === Infinity) {
      reached = Math.max(reached, place + 1);
      if (!(whole && atTheEnd)) newer = 0; // what is below is the next page's
    }
    lowest = place;
  }
  const gone = shown.slice(0, reached).filter((one) => !answered.includes(key(one)));
  return { newer, known: [...page.records, ...(await named(gone, ask))], anywhere: false };
}

const named = (gone, ask) => Promise.all(gone.slice(0, NAMED_MAX).map(async (one) => {
  const { source, table, id } = one;
  const { records } = await ask({ limit: 1 }, new URLSearchParams({ source, table, record_id: id }));
  return { ...one, ...(records[0] ?? { present: null, waiting_since: null }) };
}));
