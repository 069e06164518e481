/* The one way to /v1: the session's cookie, the CSRF token, and errors as values with words. */

import { FACTS, app } from "./session.js";

const TRIES = 3;
const ABSENT = [502, 503, 504]; // of a proxy, while the service behind it is away
const WAIT_MS = 800;

export class Refused extends Error {
  constructor(status, told, retryAfterS = 0) {
    super(told.message || `The service answered ${status}.`);
    this.status = status;
    this.code = told.code || "unknown";
    this.fields = (told.details && told.details.fields) || {};
    this.reference = told.correlation_id || "";
    this.retryAfterS = retryAfterS;
  }
}

/** No answer came: no network, or the service is away. */
export class Unreachable extends Error {
  constructor() { super("The service cannot be reached; look at your network and try again."); }
}

export function get(path, query = {}) {
  const asked = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== "" && value !== null && value !== undefined) asked.set(name, value);
  }
  const tail = asked.toString();
  return call("GET", tail ? `${path}?${tail}` : path, {});
}

/** Sent again under the same key when no answer came: it happens once however often it is sent. */
export async function post(path, body = {}) {
  const headers = { "Content-Type": "application/json", "Idempotency-Key": key() };
  const sent = JSON.stringify(body);
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call("POST", path, { headers, body: sent });
    } catch (error) {
      if (!(error instanceof Unreachable) || attempt === TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, WAIT_MS * attempt));
    }
  }
}

/** Sent one time only: for a call that does not know a repetition as one. */
export const once = (path, body) =>
  call("POST", path, { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

export const remove = (path) => call("DELETE", path, {});

/** A file as it is. */
export const upload = (path, file) => call("POST", path, { headers: { "Content-Type": file.type }, body: file });

/** Every entry of a list, page by page. */
export async function* entries(path, name, query = {}) {
  let cursor = "";
  do {
    const page = await get(path, { ...query, cursor });
    yield* page[name];
    cursor = page.next_cursor;
  } while (cursor);
}

async function call(method, path, { headers = {}, body }) {
  const all = { Accept: "application/json", ...headers };
  if (method !== "GET") all["X-CSRFToken"] = FACTS.csrf;
  let answer;
  try {
    answer = await fetch(`/v1${path}`, { method, headers: all, body, credentials: "same-origin", cache: "no-store" });
  } catch {
    throw new Unreachable();
  }
  if (answer.status === 401) signIn();
  const told = await read(answer);
  if (ABSENT.includes(answer.status) && !told.code) throw new Unreachable();
  if (!answer.ok) throw new Refused(answer.status, told, Number(answer.headers.get("Retry-After")) || 0);
  return told;
}

async function read(answer) {
  if (answer.status === 204) return {};
  try {
    return await answer.json();
  } catch {
    return {};
  }
}

function signIn() {
  const here = encodeURIComponent(location.pathname + location.search);
  location.assign(`${app("sign-in")}?next=${here}`);
}

/* randomUUID() is there only over https and on this machine. */
function key() {
  const random = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
