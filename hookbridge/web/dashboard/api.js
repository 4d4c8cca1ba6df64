// The API: every call, the token that it needs, and the same call as curl.

export const REPLAYABLE = ["applied", "coalesced", "dead"];

export class NeedsToken extends Error {}

const TOKEN = "token";

export function tokenOfAddress() {
  const given = new URLSearchParams(location.hash.slice(1)).get(TOKEN);
  if (!given) return;
  keepToken(given);
  history.replaceState(null, "", location.pathname + location.search); // it stays out of the history and of copied links
}

export const keepToken = (token) => sessionStorage.setItem(TOKEN, token);
export const knownToken = () => sessionStorage.getItem(TOKEN);

export async function call(method, path, body) {
  if (!knownToken()) throw new NeedsToken("The admin token is needed");
  const headers = { Authorization: `Bearer ${knownToken()}` };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  try {
    const sent = typeof body === "string" ? body : JSON.stringify(body);
    answer = await fetch(path, { method, headers, cache: "no-store", body: body === undefined ? undefined : sent });
  } catch {
    throw new Error("The service cannot be reached. Is it running?");
  }
  if (answer.status === 401) throw new NeedsToken("The admin token is needed");
  const said = await answer.json().catch(() => ({}));
  // 503 of /readyz is an answer: it says why the service is not ready.
  if (!answer.ok && !(answer.status === 503 && path === "readyz")) throw new Error(reason(said, answer.status));
  return said;
}

function reason(said, status) {
  if (said.detail) return said.detail.map((one) => `${one.loc.join(".")}: ${one.msg}`).join("; ");
  const hint = said.hint ? ` (${said.hint})` : "";
  return `${said.message ?? `HTTP ${status}`}${hint}`;
}

export function curl(method, path, body) {
  const parts = ["curl"];
  if (method !== "GET") parts.push("-X", method);
  parts.push("-H", '"Authorization: Bearer $HOOKBRIDGE_ADMIN_TOKEN"');
  if (body !== undefined) {
    const sent = typeof body === "string" ? body : JSON.stringify(body);
    parts.push("-H", '"Content-Type: application/json"', "--data-raw", `'${sent.replaceAll("'", "'\\''")}'`);
  }
  parts.push(`'${new URL(path, location.href)}'`);
  return parts.join(" ");
}

export const recordPath = (source, table, id) => `api/v1/records/${[source, table, id].map(encodeURIComponent).join("/")}`;
