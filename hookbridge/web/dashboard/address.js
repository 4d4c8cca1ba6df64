// What the address says: the list, its filters, whether it is live, how long the chart is, and what is open at the side.

const OWN = ["view", "hours", "open", "live"];

// { view, filters, hours, open, live }: `open` is the number of an event, or the name of a record or of a refused webhook.
export function here(address = location.search) {
  const said = new URLSearchParams(address);
  const filters = new URLSearchParams([...said].filter(([name]) => !OWN.includes(name)));
  return { view: said.get("view") ?? "events", filters, hours: said.get("hours") === "24" ? "24" : "1", open: said.get("open"), live: said.get("live") === "1" };
}

export function go(changes, { push = false } = {}) {
  const { view, filters, hours, open, live } = { ...here(), ...changes };
  const said = new URLSearchParams(filters);
  if (view !== "events") said.set("view", view);
  if (hours === "24") said.set("hours", hours);
  if (live) said.set("live", "1");
  if (open) said.set("open", open);
  const url = said.size ? `?${said}` : location.pathname;
  if (url === (location.search || location.pathname)) return;
  if (push) history.pushState(null, "", url);
  else history.replaceState(null, "", url);
}
