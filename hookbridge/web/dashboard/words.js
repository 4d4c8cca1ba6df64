// The page's words for what the API calls otherwise.

export const UP = "up";
export const DOWN = "down";
const REFUSED = "key refused";
export const PAUSED = "paused";
export const STANDBY = "standby"; // another node works on it

export const stateOfLane = (lane) => ({ running: UP, refused: REFUSED })[lane.state] ?? lane.state;

// A destination of which nothing is known any more: the service was started without it.
export const GONE = "gone";

export const stateOfDestination = ({ state }) => (state === "running" ? UP : state);

// What one that is up does beside telling each change as it comes; null where that is all.
export function doingOf({ state, snapshot, replaying, behind_seconds: behind }) {
  if (state !== "running") return null;
  if (replaying) return "is sent again what it rejected";
  return snapshot ? "is told everything" : behind >= 1 ? "catches up" : null;
}

export const stateOfEvent = (event) => event.outcome ?? event.state;
export const stateOfRecord = (record) => (record.waiting_since ? "waiting" : record.present ? "present" : "absent");

// What a webhook said, without the source's word.
export const UNVERIFIED = "unverified";

const VERIFICATIONS = {
  verified: "verified: the source has what the event said",
  superseded: "superseded: the source was already newer",
  absent: "the source has no such record",
  contradicted: "contradicted: the event said deleted, the source still has it",
  skipped: "not verified: there are no credentials to ask the source",
};

// What came of an event. Without credentials it can be older than the copy, which says nothing of the source.
export function verificationOf({ verification, verified_at: asked }) {
  if (verification === "superseded" && !asked) return "superseded: the copy was already newer; the source was not asked";
  return VERIFICATIONS[verification];
}

// Events of earlier versions have a time of the source's answer also where it was not asked.
export const isUnverified = ({ verification, verified_at: asked }) => verification === "skipped" || (verification !== null && !asked);
