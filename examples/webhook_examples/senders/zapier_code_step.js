// A "Code by Zapier" step (JavaScript) that tells hookbridge of a Notion page, signed.
//
// Trigger: Notion, "Updated Database Item".  Input Data of this step:
//   url          https://hooks.example.com/api/v1/webhooks/notion
//   secret       the WEBHOOK_SECRET, also one that begins with whsec_
//   database_id  the database's id
//   page_id      the page's id, from the trigger
//   edited_at    "Last Edited Time", from the trigger
//   name         the title, from the trigger
//
// With NOTION_TOKEN set, hookbridge reads the page itself: what stands in `data` then only says what to look at.

const { createHmac, randomUUID } = require("crypto");

// By Standard Webhooks for a whsec_ secret, else the hex HMAC-SHA256.
function signedHeaders(body, secret) {
  if (!secret.startsWith("whsec_")) {
    return { "X-Webhook-Signature": createHmac("sha256", secret).update(body).digest("hex") };
  }
  const id = `msg_${randomUUID()}`;
  const timestamp = String(Math.floor(Date.now() / 1000));
  const key = Buffer.from(secret.slice("whsec_".length), "base64");
  const signature = createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body).digest("base64");
  return { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": `v1,${signature}` };
}

const body = JSON.stringify({
  event_type: "update",
  source: "notion",
  table_name: inputData.database_id,
  record_id: inputData.page_id,
  data: {
    properties: { Name: { type: "title", title: [{ plain_text: inputData.name }] } },
  },
  timestamp: inputData.edited_at,
});

const answer = await fetch(inputData.url, {
  method: "POST",
  headers: { "Content-Type": "application/json", ...signedHeaders(body, inputData.secret) },
  body,
});

// Zapier tries a step again that throws.
if (!answer.ok) {
  throw new Error(`hookbridge answered ${answer.status}: ${await answer.text()}`);
}

output = { status: answer.status, event: answer.headers.get("X-Hookbridge-Event") };
