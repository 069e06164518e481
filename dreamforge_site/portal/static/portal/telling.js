/* What went wrong, short messages, and word of work that has ended while a page is open. */

import * as api from "./api.js";
import { $, fill, h } from "./dom.js";
import { FACTS, USER, app } from "./session.js";
import { KINDS, OVER, STATES, short } from "./words.js";

const KEPT = `portal-watched-${USER.id}`;
const MOST = 50;
const LOOK_EVERY_MS = 5000;
const TOAST_MS = 8000;

/** Shows an error where the page has its place for it; null clears it. */
export function problem(error, place = $("problem")) {
  if (!error) return fill(place);
  const more = error.reference ? h("span", { class: "quiet small" }, ` Reference ${error.reference}`) : null;
  fill(place, h("p", { class: "notice wrong" }, error.message, more));
}

export function toast(text, address) {
  const shown = h("div", { class: "toast" }, address ? h("a", { href: address, dir: "auto" }, text) : h("span", { dir: "auto" }, text));
  $("toasts").append(shown);
  setTimeout(() => shown.remove(), TOAST_MS);
}

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
  setInterval(look, LOOK_EVERY_MS);
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
  for (const one of watched()) {
    try {
      const job = await api.get(`/jobs/${encodeURIComponent(one.id)}`);
      if (OVER.includes(job.status) && forget(one.id)) tell(one, job);
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
  if (worker) await worker.showNotification(title, options);
  else new Notification(title, options);
}
