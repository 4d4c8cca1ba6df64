// News of a list whose newest rows stand above: what has come since, and what has become of those that are shown.

const NEWS_PAGES_MAX = 5;
const IDS_MAX = 500;

export const NEWS_MAX = 100;

// Gives { fresh, newer, known, horizon }: the rows that are not shown, newest first, how many they are, what is known of
// those that are, and up to which number all are known.
export async function lookAtLatest(sight) {
  const asked = sight.shown.filter(sight.view.changes).map((one) => one.id);
  const chunks = [];
  for (let from = 0; from < asked.length; from += IDS_MAX) chunks.push(asked.slice(from, from + IDS_MAX));
  const [latest, ...unsettled] = await Promise.all([
    newest(sight),
    ...chunks.map((ids) => sight.ask({ ids: ids.join(","), limit: IDS_MAX }, new URLSearchParams())),
  ]);
  const fresh = latest.rows.filter((one) => isNews(one, sight));
  return {
    fresh,
    newer: fresh.length,
    known: [...latest.rows, ...unsettled.flatMap((page) => page[sight.view.rows])],
    horizon: latest.horizon,
  };
}

// Not shown, and not among what “Older” shows.
function isNews(one, { view, places, shown, atTheEnd }) {
  return !places.has(view.key(one)) && (atTheEnd || view.newer(one, shown.at(-1)));
}

// The newest rows, and those below them as far as one may have appeared since: where several nodes write, numbers are
// given before events are there. With the horizon up to which all are known now.
async function newest(sight) {
  const rows = [];
  let horizon;
  let cursor = null;
  for (let pages = 0; pages < NEWS_PAGES_MAX; pages += 1) {
    const page = await sight.ask({ limit: NEWS_MAX, ...(cursor === null ? {} : { cursor }) });
    rows.push(...page[sight.view.rows]);
    horizon ??= page.horizon;
    cursor = page.next_cursor;
    if (sight.horizon === null || cursor === null || cursor <= sight.horizon + 1) return { rows, horizon: horizon ?? null };
    if (rows.filter((one) => isNews(one, sight)).length >= NEWS_MAX) break;
  }
  return { rows, horizon: sight.horizon };
}

// News of a list that is answered whole: what is missing has left it, and is what the view says of such a one.
export async function lookAtWhole({ view, shown, places, ask }) {
  const page = await ask({});
  const found = page[view.rows];
  const there = new Set(found.map(view.key));
  const gone = shown.filter((one) => !there.has(view.key(one))).map((one) => ({ ...one, ...view.gone }));
  return { newer: found.filter((one) => !places.has(view.key(one))).length, known: [...found, ...gone], anywhere: true };
}
