// The page's words for what the API calls otherwise.

export const UP = "up";
export const DOWN = "down";
export const REFUSED = "key refused";
export const PAUSED = "paused";

export const stateOfLane = (lane) => ({ running: UP, refused: REFUSED })[lane.state] ?? lane.state;

export const stateOfEvent = (event) => event.outcome ?? event.state;
export const stateOfRecord = (record) => (record.waiting_since ? "waiting" : record.present ? "present" : "absent");

export const VERIFICATIONS = {
  verified: "verified: the source has what the event said",
  superseded: "superseded: the source was already newer",
  absent: "the source has no such record",
  contradicted: "contradicted: the event said deleted, the source still has it",
  skipped: "not verified: there are no credentials to ask the source",
};

export const CREDENTIALS = { supabase: "SUPABASE_URL and SUPABASE_KEY", notion: "NOTION_TOKEN" };
export const SECTIONS = { supabase: "[[supabase.tables]]", notion: "[[notion.databases]]" };
