// The API: every call, the token that it needs, and the same call as curl.

export const REPLAYABLE = ["applied", "coalesced", "dead"];

export class NeedsToken extends Error {}

// What the service has answered, as opposed to no answer at all.
export class Refusal extends Error {}

// --------------------------------------------------------------------------------------------------------------- token

const TOKEN = "token";
const SENDABLE = /^[\x21-\x7e]+$/;

export function tokenOfAddress() {
  const given = new URLSearchParams(location.hash.slice(1)).get(TOKEN);
  if (given === null) return false;
  history.replaceState(null, "", location.pathname + location.search); // out of the history and of copied links
  if (given) keepToken(given);
  return given !== "";
}

export const keepToken = (token) => sessionStorage.setItem(TOKEN, token.trim());
export const knownToken = () => sessionStorage.getItem(TOKEN);
export const forgetToken = () => sessionStorage.removeItem(TOKEN);

function bearer() {
  const token = knownToken();
  if (!token) throw new NeedsToken("");
  if (!SENDABLE.test(token)) throw new NeedsToken("A token has only letters, digits and signs of ASCII, and no spaces.");
  return `Bearer ${token}`;
}

// --------------------------------------------------------------------------------------------------------------- calls

const READ_MS = 10_000;
const WRITE_MS = 60_000;

// Answers { text, headers }. What takes longer than `within` has failed: a service that hangs must not look like one
// that is well. Whoever aborts `signal` wants no answer any more, and the service need not look for one.
export async function send(method, path, body, { within = method === "GET" ? READ_MS : WRITE_MS, signal = null } = {}) {
  const headers = { Authorization: bearer() };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const sent = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
  const ends = [AbortSignal.timeout(within), signal].filter(Boolean);
  let answer;
  let text;
  try {
    answer = await fetch(path, { method, headers, cache: "no-store", body: sent, signal: AbortSignal.any(ends) });
    text = await answer.text();
  } catch (error) {
    throw new Error(error.name === "TimeoutError" ? silence(method, within) : "The service cannot be reached. Is it running?");
  }
  if (answer.status === 401) throw new NeedsToken("This token was refused.");
  // 503 of /readyz is an answer: it says why the service is not ready.
  if (!answer.ok && !(answer.status === 503 && path === "readyz")) throw new Refusal(reason(text, answer.status));
  return { text, headers: answer.headers };
}

const silence = (method, within) =>
  `The service did not answer within ${within / 1000} s.${method === "GET" ? "" : " It may have done it all the same: look before you try again."}`;

export const text = async (...asked) => (await send(...asked)).text;
export const call = async (...asked) => JSON.parse(await text(...asked));

function reason(answered, status) {
  let said = {};
  try {
    said = JSON.parse(answered);
  } catch {
    return `HTTP ${status}`; // a proxy's page
  }
  if (said.detail) return said.detail.map((one) => `${one.loc.slice(1).join(".") || one.loc.join(".")}: ${one.msg}`).join("; ");
  return `${said.message ?? `HTTP ${status}`}${said.hint ? ` (${said.hint})` : ""}`;
}

// A path cannot hold a part that is a dot or two: browsers and curl take it for a step upwards.
export function recordPath(source, table, id) {
  return `api/v1/records/${[source, table, id].map(part).join("/")}`;
}

function part(value) {
  if (value === "." || value === "..") throw new Refusal(`A record named “${value}” has no address in a browser.`);
  return encodeURIComponent(value).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16)}`);
}

// ---------------------------------------------------------------------------------------------------------------- curl

const quoted = (value) => `'${String(value).replaceAll("'", "'\\''")}'`;
const TOKEN_HEADER = '-H "Authorization: Bearer $HOOKBRIDGE_ADMIN_TOKEN"';
const JSON_HEADER = "-H 'Content-Type: application/json'";
const address = (path) => quoted(new URL(path, location.href));

export function curl(method, path, body) {
  const parts = [method === "GET" ? "curl" : `curl -X ${method}`, TOKEN_HEADER];
  if (body !== undefined) parts.push(JSON_HEADER, `--data-raw ${quoted(typeof body === "string" ? body : JSON.stringify(body))}`);
  return [...parts, address(path)].join(" \\\n  ");
}

// The same call again and again behind the last one's cursor, for what needs more than one.
export function curlLoop(path, body) {
  const opened = quoted(JSON.stringify(body).slice(0, -1));
  return [
    "cursor=",
    "while page=$(curl -sS --fail-with-body -X POST \\",
    `  ${TOKEN_HEADER} \\`,
    `  ${JSON_HEADER} \\`,
    `  --data-raw ${opened}"\${cursor:+,\\"cursor\\":$cursor}}" \\`,
    `  ${address(path)}) && echo "$page"`,
    "do",
    '  cursor=$(echo "$page" | sed -n \'s/.*"next_cursor":\\([0-9]*\\).*/\\1/p\')',
    '  [ -n "$cursor" ] || break',
    "done",
  ].join("\n");
}
