// Asking /v1 in the name of who is signed in. Every failure is an Error with words for people.

const LONGEST_MS = 45_000;

export class Refused extends Error {
  constructor(status, told) {
    super(wordsOf(told));
    this.status = status;
    this.code = told.code;
    this.details = told.details ?? {};
  }
}

function wordsOf(told) {
  const fields = Object.entries(told.details?.fields ?? {});
  const more = fields.map(([name, words]) => `${name}: ${[].concat(words).join(" ")}`).join(" ");
  return [told.message ?? "The server refused.", more].filter(Boolean).join(" ");
}

const token = () => document.querySelector("[name=csrfmiddlewaretoken]")?.value ?? "";

export async function ask(path, { method = "GET", query = {}, body, signal } = {}) {
  const address = new URL(path, location.origin);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "") address.searchParams.set(name, value);
  }
  const headers = { Accept: "application/json" };
  if (method !== "GET") {
    headers["X-CSRFToken"] = token();
    headers["Idempotency-Key"] = crypto.randomUUID?.() ?? String(Math.random()).slice(2);
  }
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const late = AbortSignal.timeout(LONGEST_MS);
  const answer = await fetch(address, {
    method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
    credentials: "same-origin",
    signal: signal ? AbortSignal.any([signal, late]) : late,
  });
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(answer.status, told);
  return told;
}

// One after another, every page of a list.
export async function* pages(path, query, signal) {
  let cursor = "";
  do {
    const page = await ask(path, { query: { ...query, cursor }, signal });
    yield page;
    cursor = page.next_cursor;
  } while (cursor);
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

export function bytes(count) {
  if (count === null || count === undefined) return "size unknown";
  let value = count;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit ? value.toFixed(1) : value} ${UNITS[unit]}`;
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "";
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
