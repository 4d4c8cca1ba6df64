// The panel of a destination: how it stands and why, and what an operator can do to it.

import { call, curl } from "./api.js";
import { called, placed } from "./cells.js";
import { confirm } from "./dialog.js";
import { tellIn } from "./follow.js";
import { CLASSES, button, count, element, foreign, lasting, moment, plural, since, until } from "./format.js";
import { said } from "./panel.js";
import { facts, heading } from "./sections.js";
import { DOWN, PAUSED, doingOf, stateOfDestination } from "./words.js";

const REJECTED_SHOWN = 50;

export const destinationKey = (name) => `destination:${name}`;

export function destinationPanel(name, hooks) {
  return { key: destinationKey(name), build: async () => panelOf(...await asked(name), hooks) };
}

async function asked(name) {
  const one = await call("GET", pathOf(name));
  return [one, one.rejected ? (await call("GET", `${pathOf(name, "/rejected")}?limit=${REJECTED_SHOWN}`)).rejected : []];
}

const pathOf = (name, deed = "") => `api/v1/destinations/${encodeURIComponent(name)}${deed}`;

function panelOf(one, rejected, hooks) {
  const now = stateOfDestination(one);
  const lasts = one.since && since(one.since) >= 1 ? ` for ${lasting(since(one.since))}` : "";
  return {
    title: foreign(one.name),
    live: true,
    parts: [
      element("p", [element("span", now, { className: `state ${CLASSES[now]}` }), element("span", [lasts, doingOf(one)].filter(Boolean).map((words) => ` ${words}`), { className: "soft" })]),
      element("p", foreign(one.reason ?? ""), { className: `reason ${CLASSES[now]}`, hidden: one.reason === null || now === PAUSED }),
      element("div", deeds(one, hooks), { className: "buttons" }),
      said(),
      facts([
        ["Leads to", one.url],
        ["Behind", one.changes_behind === null ? "–" : plural(one.changes_behind, "change")],
        ["Waiting for", one.behind_seconds ? lasting(one.behind_seconds) : "–"],
        one.next_try_at && ["Next try", [moment(one.next_try_at), ` (${until(one.next_try_at)})`]],
        one.failures ? ["Failed", `${plural(one.failures, "time")} in a row`] : null,
        ["Delivered", plural(one.delivered, "change")],
        ["Last one", moment(one.delivered_at)],
        ["Rejected", plural(one.rejected, "change")],
        ["Place", one.seq === null ? "–" : count(one.seq)],
      ]),
      ...(one.rejected ? rejections(one, rejected, hooks) : []),
    ],
  };
}

function rejections(one, shown, hooks) {
  const more = one.rejected - shown.length;
  return [
    heading("What it rejected"),
    element("p", "It takes others, and refuses these alone. Repair what its answers name, then have them sent again, or give them up.", { className: "soft" }),
    element("div", ["replay", "dismiss"].map((name) => deed(name, one, hooks)), { className: "buttons" }),
    element("ul", shown.map((of) => rejection(of, hooks)), { className: "tables" }),
    more > 0 ? element("p", ["and ", plural(more, "change"), ": ", element("code", `destinations rejected ${one.name}`)], { className: "soft" }) : null,
  ];
}

const rejection = (of, hooks) => element("li", [
  element("span", [button(called(of.title, of.id), () => hooks.openRecord(of), { className: "link" }), " ", placed(of)]),
  element("span", ""),
  element("span", moment(of.rejected_at), { className: "soft" }),
  element("span", foreign(of.reason), { className: "bad" }),
]);

// ------------------------------------------------------------------------------------------------------------- actions

const DEEDS = {
  pause: {
    label: "Pause",
    title: (name) => `Pause ${name}`,
    text: "Nothing is sent to it until it is resumed, restarts included. Nothing is lost: it catches up then.",
    told: () => ["It is paused."],
  },
  resume: {
    label: "Resume",
    title: (name) => `Resume ${name}`,
    text: "It is tried at once, also where it has stopped, and catches up from its place.",
    told: () => ["It goes on from its place."],
  },
  retry: {
    label: "Try now",
    title: (name) => `Try ${name} now`,
    path: "resume",
    text: "What it did not take is sent again at once.",
    told: () => ["It is tried now."],
  },
  test: {
    label: "Test",
    title: (name) => `Test ${name}`,
    text: "It is sent a message without changes, signed as all are. Its place and its state stay as they are.",
    told: ({ taken, reason }) => taken ? ["It takes what is sent.", "good"] : [["Not taken: ", foreign(reason)], "bad"],
  },
  replay: {
    label: "Replay rejected",
    title: (name) => `Replay what ${name} rejected`,
    text: "It is sent these again, each record as it is by now, and goes on where it has stopped. What it does not take stays rejected.",
    told: () => ["They are sent again."],
  },
  dismiss: {
    label: "Dismiss rejected…",
    title: (name) => `Dismiss what ${name} rejected`,
    body: { all: true },
    text: "They are given up: forgotten, and not sent again. The next change of such a record is sent as any other. It goes on where it has stopped because no more are kept.",
    told: ({ dismissed }) => [`${plural(dismissed, "rejected change")} dismissed.`],
  },
  start: {
    label: "Tell everything anew…",
    title: (name) => `Tell ${name} everything anew`,
    path: "rewind",
    body: { to: "start" },
    text: "It goes on at the beginning: all that there is comes between snapshot_begin and snapshot_end, then each change.",
    told: () => ["It is told everything anew."],
  },
  now: {
    label: "Skip to now…",
    title: (name) => `Let ${name} skip to now`,
    path: "rewind",
    body: { to: "now" },
    text: "What has changed since its place is never told to it, only what changes from now on.",
    told: () => ["It goes on with what changes from now on."],
  },
};

// Each has its place in the row, shown or not: what is pressed never becomes another one.
function deeds(one, hooks) {
  const held = one.state === PAUSED || one.state === "stopped";
  return [
    deed(held ? "resume" : "pause", one, hooks),
    deed("retry", one, hooks, { hidden: one.state !== DOWN && one.state !== "refused" }),
    ...["test", "start", "now"].map((name) => deed(name, one, hooks)),
  ];
}

const deed = (name, one, hooks, properties = {}) =>
  button(DEEDS[name].label, () => ask(name, one, hooks), { data: { deed: name }, ...properties });

function ask(name, one, hooks) {
  const { label, title, path = name, body, text, told } = DEEDS[name];
  const whole = pathOf(one.name, `/${path}`);
  confirm({
    title: title(one.name),
    text,
    shown: curl("POST", whole, body),
    label: label.replace("…", ""),
    work: () => call("POST", whole, body),
    done: (answered) => {
      tellIn([destinationKey(one.name)], ...told(answered));
      hooks.changed();
    },
  });
}

export const replayRejected = (one, hooks) => ask("replay", one, hooks);
export const dismissRejected = (one, hooks) => ask("dismiss", one, hooks);
