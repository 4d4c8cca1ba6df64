// The filter by when something came: a span back from now, or free times. The address has `span`, or `since` and `until`
// in UTC, as the API takes them; the form has the reader's own time zone.

import { element } from "./format.js";

const SPANS = { "15m": ["last 15 min", 900], "1h": ["last hour", 3600], "24h": ["last day", 86_400], "7d": ["last 7 days", 604_800] };
const FREE = "free"; // in the form only: from and until are chosen themselves
const ENDS = { since: "From", until: "Until" };
const HAS_ZONE = /(z|[+-]\d\d:?\d\d)$/i;

const iso = (time) => time.toISOString().replace(".000Z", "Z");
const beginOf = (span, now) => new Date(now - SPANS[span][1] * 1000);

// A time of the API, where one without a zone is UTC, as a field of the form has it; empty when it is none.
function local(written) {
  const at = new Date(HAS_ZONE.test(written) || !written.includes("T") ? written : `${written}Z`);
  if (Number.isNaN(at.getTime())) return "";
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

// The fields of the form, as these filters have them.
export function rangeFields(values) {
  const free = Object.keys(ENDS).some((name) => values.has(name));
  const options = [["", "any time"], ...Object.entries(SPANS).map(([name, [words]]) => [name, words]), [FREE, "from … until"]];
  const span = element("select", options.map(([value, words]) => element("option", words, { value })), { name: "span" });
  span.value = free ? FREE : values.get("span") ?? "";
  const ends = Object.entries(ENDS).map(([name, words]) => {
    const field = element("input", [], { name, type: "datetime-local", step: 1, max: "9999-12-31T23:59:59" });
    field.value = values.has(name) ? local(values.get(name)) : "";
    return element("label", [words, " ", field], { hidden: !free, title: "In the time zone of this browser" });
  });
  let before = span.value;
  span.addEventListener("change", () => {
    for (const label of ends) label.hidden = span.value !== FREE;
    // What was shown is where one goes on from.
    if (span.value === FREE && before in SPANS) ends[0].lastChild.value = local(iso(beginOf(before, Date.now())));
    before = span.value;
  });
  return [element("label", ["Received ", span]), ...ends];
}

// What was chosen in the form, as the address has it.
export function rangeOfForm(filters) {
  const chosen = new URLSearchParams(filters);
  const free = chosen.get("span") === FREE;
  if (free) chosen.delete("span");
  for (const name of Object.keys(ENDS)) {
    const at = new Date(chosen.get(name) ?? "");
    if (free && !Number.isNaN(at.getTime())) chosen.set(name, iso(at));
    else chosen.delete(name);
  }
  return chosen;
}

// The filters as the API takes them, with a span that ends now; a span that there is not is the API's to refuse.
export function askedOf(filters, now = Date.now()) {
  const asked = new URLSearchParams(filters);
  const span = asked.get("span");
  if (!(span in SPANS)) return asked;
  asked.delete("span");
  asked.set("since", iso(beginOf(span, now)));
  return asked;
}
