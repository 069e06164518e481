/* Word of work that has ended, from whichever page of the portal is open, and once: of several
   pages the one that was looked at last tells. */

import * as api from "./api.js";
import { FACTS, USER, app } from "./session.js";
import { toast } from "./telling.js";
import { KINDS, OVER, STATES, short } from "./words.js";

const KEPT = `portal-watched-${USER.id}`;
const MOST = 50;
const LOOK_EVERY_MS = 5000;
let leads = false;
let queued = null; // this page's request that waits for its turn, by what takes it back

/** Tell the user when this job or download has ended, from whichever page is open then. */
export function watch(id, type, title) {
  keep([...watched().filter((one) => one.id !== id), { id, type, title: short(title, 80) }].slice(-MOST));
}

export function forget(id) {
  const before = watched();
  keep(before.filter((one) => one.id !== id));
  return before.some((one) => one.id === id);
}

export function begin() {
  lead(!document.hidden);
  document.addEventListener("visibilitychange", () => { if (!document.hidden && !leads) lead(true); });
  setInterval(look, LOOK_EVERY_MS);
}

/** Becomes the page that tells: at once when it is looked at, else after those that are now. */
async function lead(steal) {
  if (!navigator.locks) { // over plain http there are none: each page looks for itself
    leads = true;
    return;
  }
  const until = () => { leads = true; return new Promise(() => {}); };
  queued?.abort();
  const mine = new AbortController();
  queued = mine;
  try {
    await navigator.locks.request(KEPT, steal ? { steal } : { signal: mine.signal }, until);
  } catch {
    if (mine.signal.aborted) return; // this page asks anew
    leads = false; // another page is looked at now
    lead(false);
  }
}

function watched() {
  try {
    const found = JSON.parse(localStorage.getItem(KEPT) || "[]");
    return Array.isArray(found) ? found : [];
  } catch {
    return [];
  }
}

function keep(list) {
  try {
    localStorage.setItem(KEPT, JSON.stringify(list));
  } catch {
    // A browser that keeps nothing for us: only this page tells of its work.
  }
}

async function look() {
  if (!leads) return;
  for (const one of watched()) {
    try {
      const job = await api.get(`/jobs/${encodeURIComponent(one.id)}`);
      if (OVER.includes(job.status) && leads && forget(one.id)) tell(one, job);
    } catch (error) {
      if (error.status === 404) forget(one.id);
      else return; // the service is away: look again later
    }
  }
}

function tell(one, job) {
  const title = `${KINDS[one.type] || "Job"}: ${STATES[job.status].toLowerCase()}`;
  const address = one.type === "generate" ? `${app("create")}#job=${one.id}` : app(`downloads/${one.id}`);
  toast(`${title}. ${one.title}`, address);
  notify(title, { body: one.title, tag: one.id, icon: FACTS.icon, data: { url: address } });
}

async function notify(title, options) {
  if (!("Notification" in window) || Notification.permission !== "granted") return;
  const worker = await navigator.serviceWorker?.getRegistration(FACTS.root);
  if (worker?.active) await worker.showNotification(title, options);
  else new Notification(title, options);
}
