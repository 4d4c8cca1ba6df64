// The nodes that share the store: what each does, and since when one was not heard of. A file has none.

import { $, count, element, foreign, lasting } from "./format.js";
import { morphChildren } from "./morph.js";

export function showNodes(cluster) {
  $("nodes").hidden = !cluster;
  if (cluster) morphChildren($("nodes"), cluster.nodes.map((node) => line(node, cluster.node)));
}

function line(node, here) {
  const waiting = node.lanes.reduce((sum, lane) => sum + lane.queued + lane.busy, 0);
  const facts = [
    node.roles.length === 3 ? null : node.roles.join(", "),
    node.leads.length ? `leads ${node.leads.join(", ")}` : null,
    `${count(waiting)} in work`,
    node.version,
    node.same_admin_token === false ? "another admin token" : null,
  ].filter(Boolean);
  const state = node.away ? `away for ${lasting(node.seen_seconds)}` : "up";
  return element("li", [
    foreign(node.name, { className: "cut", title: node.name }), node.name === here ? " (this page) " : " ",
    element("span", state, { className: node.away ? "warn" : "good" }),
    element("span", [" · ", foreign(facts.join(" · "))], { className: "soft" }),
  ], { data: { node: node.name } });
}
