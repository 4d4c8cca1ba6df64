// The panel of a refused webhook.

import { bytes, element, foreign, moment } from "./format.js";
import { facts } from "./sections.js";

export const rejectedKey = (one) => `rejected:${one.at}:${one.id}`;

export const rejectedPanel = (one) => ({
  key: rejectedKey(one),
  build: async () => ({
    title: `Refused with ${one.status}`,
    live: false,
    parts: [
      element("p", element("span", one.reason, { className: "state bad" })),
      element("p", foreign(one.message)),
      facts([["At", moment(one.at)], ["Endpoint", one.endpoint], ["From", one.peer ?? "unknown"], ["Size", one.bytes === null ? "unknown" : bytes(one.bytes)]]),
      element("p", "Nothing of a refused webhook is kept but this: no body, no header.", { className: "soft" }),
    ],
  }),
});
