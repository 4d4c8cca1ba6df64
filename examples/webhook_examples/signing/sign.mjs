// Sends a JSON file to hookbridge, signed.  Node 18 or newer, no packages.
//
//   WEBHOOK_SECRET=… node sign.mjs payload.json https://hooks.example.com/api/v1/webhooks/supabase
//
// The signature is made over the bytes that are sent: serialise once, sign those bytes, send those bytes.

import { createHmac, randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";

// By Standard Webhooks for a whsec_ secret, else the hex HMAC-SHA256.
export function signedHeaders(body, secret) {
  if (!secret.startsWith("whsec_")) {
    return { "X-Webhook-Signature": createHmac("sha256", secret).update(body).digest("hex") };
  }
  const id = `msg_${randomUUID()}`; // the same for every try of one message: then it counts once
  const timestamp = String(Math.floor(Date.now() / 1000));
  const key = Buffer.from(secret.slice("whsec_".length), "base64");
  const signature = createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body).digest("base64");
  return { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": `v1,${signature}` };
}

const [path, url] = process.argv.slice(2);
const body = await readFile(path);
const answer = await fetch(url, {
  method: "POST",
  headers: { "Content-Type": "application/json", ...signedHeaders(body, process.env.WEBHOOK_SECRET) },
  body,
});
console.log(answer.status, await answer.text());
process.exitCode = answer.ok ? 0 : 1;
