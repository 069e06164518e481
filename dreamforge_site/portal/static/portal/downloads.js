/* The downloads of this user, newest first, with those that run kept fresh. */

import * as api from "./api.js";
import { $, h } from "./dom.js";
import { app, mayStart } from "./session.js";
import { met, problem } from "./telling.js";
import { KINDS, OVER, STATES, bytes, duration, moment } from "./words.js";

const PAGE = 30;
const LOOK_EVERY_MS = 2500;
const rows = new Map(); // id → {element, draw}
let cursor = "";
let isLoaded = false;

export const title = (one) => one.ref || one.source_uri || `${KINDS[one.kind] || one.kind} of ${moment(one.created_at)}`;

function line(one) {
  if (one.status === "running") {
    const rate = one.rate_bps ? `, ${bytes(one.rate_bps)}/s` : "";
    const eta = one.eta_s === null ? "" : `, ${duration(one.eta_s)} left`;
    return `${bytes(one.bytes_done)} of ${bytes(one.bytes_total)}${rate}${eta}`;
  }
  if (one.status === "failed") return one.error_message;
  return one.finished_at ? moment(one.finished_at) : moment(one.created_at);
}

function row(one) {
  const state = h("span", { class: "state" });
  const told = h("p", { class: "quiet", dir: "auto" });
  const bar = h("progress", { max: 100, "aria-label": "Progress" });
  const draw = (now) => {
    state.textContent = STATES[now.status];
    state.dataset.state = now.status;
    told.textContent = line(now);
    bar.value = now.progress_pct;
    bar.hidden = OVER.includes(now.status);
  };
  const element = h("li", { class: "card" },
    h("div", { class: "row between" }, h("a", { class: "path", dir: "auto", href: app(`downloads/${one.id}`) }, title(one)), state),
    h("p", { class: "quiet small" }, KINDS[one.kind] || one.kind), bar, told);
  draw(one);
  rows.set(one.id, { element, draw });
  return element;
}

async function more() {
  problem(null);
  try {
    const page = await api.get("/downloads", { limit: PAGE, cursor });
    cursor = page.next_cursor;
    $("found").append(...page.downloads.filter((one) => !rows.has(one.id)).map(row));
    $("more").hidden = !cursor;
  } catch (error) {
    problem(error);
  }
}

/** The newest page, the first time or again: what is new goes first, what is shown is brought up to
    date. */
async function look() {
  try {
    if (!document.hidden) {
      const page = await api.get("/downloads", { limit: PAGE });
      for (const one of [...page.downloads].reverse()) {
        if (rows.has(one.id)) rows.get(one.id).draw(one);
        else $("found").prepend(row(one));
      }
      if (!isLoaded) {
        cursor = page.next_cursor;
        $("more").hidden = !cursor;
        isLoaded = true;
      }
      $("none").hidden = rows.size > 0;
      met(null);
    }
  } catch (error) {
    met(error);
  }
  setTimeout(look, LOOK_EVERY_MS);
}

$("add").hidden = !mayStart("mirror");
$("more").addEventListener("click", more);
look();
