// What an operator can do to one record, event or source. Each action shows its call as curl before it is done.

import { call, curl, recordPath } from "./api.js";
import { confirm } from "./dialog.js";
import { visible } from "./format.js";
import { copyOf, follow, newest } from "./follow.js";

export const eventKey = (id) => `event:${id}`;
export const recordKey = ({ source, table, id }) => `${source}:${table}:${id}`;

// "supabase:public.users:42" → its parts; an id may have colons.
export function recordNamed(key) {
  const [source, table, ...id] = key.split(":");
  return { source, table, id: id.join(":") };
}

export function pauseOrResume(source, turn, done) {
  const path = `api/v1/sources/${source}/${turn.toLowerCase()}`;
  const text = turn === "Pause"
    ? "Nothing of it is processed until it is resumed, restarts included. Its webhooks go on being stored."
    : "What was stored meanwhile is processed, as soon as the source answers.";
  confirm({ title: `${turn} ${source}`, text, shown: curl("POST", path), label: turn, work: () => call("POST", path), done });
}

// The record that an event is about.
export const recordOf = ({ source, table, record_id: id, title }) => ({ source, table, id, title });

// What people call it, and its id; what came by its address alone has only that.
const titled = ({ id, title = id }) => visible(title === id ? id : `${title} (${id})`);

export function replayOne(event, hooks) {
  const record = recordOf(event);
  const path = `api/v1/events/${event.id}/replay`;
  const again = event.outcome === "dead" ? "The dead letter is open again." : "It comes in anew, with the origin replay.";
  confirm({
    title: `Replay event ${event.id}`,
    text: `${again} Its record, ${titled(record)}, is read from its source, and copy, index and caches follow.`,
    shown: curl("POST", path),
    label: "Replay",
    work: async () => {
      const before = await copyOf(record);
      const { replayed } = await call("POST", path);
      if (!replayed) throw new Error("It was not replayed: it is open, or was ignored.");
      const id = event.outcome === "dead" ? event.id : (await newest(record, "replay"))?.id ?? event.id;
      return { id, record, before, keys: [eventKey(event.id)] };
    },
    done: (made) => follow(made, hooks),
  });
}

export function verifyRecord(record, keys, hooks) {
  const path = `${recordPath(record.source, record.table, record.id)}/verify`;
  confirm({
    title: `Verify ${titled(record)}`,
    text: `It is read from ${record.source} now. Copy, index and caches follow what the source has.`,
    shown: curl("POST", path),
    label: "Verify now",
    work: async () => {
      const before = await copyOf(record);
      return { id: (await call("POST", path)).event_id, record, before, keys };
    },
    done: (made) => follow(made, hooks),
  });
}
