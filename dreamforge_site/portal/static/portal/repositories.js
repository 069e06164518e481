/* The repositories that are tracked here, how much of each is on the disk, and what works on them. */

import * as api from "./api.js";
import { $, fill, h } from "./dom.js";
import { amount, states, title } from "./repository_words.js";
import { app, mayStart } from "./session.js";
import { met, problem } from "./telling.js";

const PAGE = 40;
const LOOK_EVERY_MS = 4000;
const WHICH = { "": {}, whole: { downloaded: "true" }, part: { downloaded: "false" }, error: { status: "error" } };
let search = null; // what is shown now; an answer to an older one is thrown away
let next = null; // the look that comes by itself

const asked = () => ({ q: $("q").value.trim(), ...WHICH[$("which").value], limit: PAGE });

function row(repo) {
  const told = h("p", { class: "row states" });
  const line = h("p", { class: "quiet" });
  const bar = h("progress", { max: 1, "aria-label": "How much of it is here" });
  const draw = (now) => {
    fill(told, states(now));
    told.hidden = !told.childElementCount;
    line.textContent = amount(now);
    bar.value = now.size_bytes ? now.done_bytes / now.size_bytes : 0;
    bar.hidden = !now.size_bytes || now.is_downloaded;
    shown.busy = Boolean(now.work);
  };
  const name = h("a", { class: "path touch", dir: "auto", href: app(`repositories/${repo.id}`) }, title(repo));
  const element = h("li", { class: "card" },
    h("div", { class: "named" }, name, h("span", { class: "quiet small path", dir: "auto" }, repo.revision)), told, line, bar);
  const shown = { element, draw, busy: false };
  search.rows.set(repo.id, shown);
  draw(repo);
  return element;
}

function again(event) {
  event?.preventDefault();
  fill($("found"));
  $("none").hidden = true;
  $("more").hidden = true;
  problem(null);
  search = { query: asked(), cursor: "", rows: new Map(), isLoaded: false };
  look();
}

async function more() {
  const here = search;
  problem(null);
  $("more").hidden = true;
  try {
    const page = await api.get("/hub/models", { ...here.query, cursor: here.cursor });
    if (here !== search) return;
    here.cursor = page.next_cursor;
    $("found").append(...page.models.filter((repo) => !here.rows.has(repo.id)).map(row));
  } catch (error) {
    if (here === search) problem(error);
  }
  if (here === search) $("more").hidden = !here.cursor;
}

function empty() {
  $("none").hidden = search.rows.size > 0;
  const isSearch = search.query.q || $("which").value;
  $("none").textContent = isSearch ? "No repository fits." : "Nothing is tracked yet.";
}

/** The newest page, the first time or again, and below it what something works on. */
async function refresh(here) {
  const page = await api.get("/hub/models", here.query);
  if (here !== search) return;
  for (const repo of [...page.models].reverse()) {
    if (here.rows.has(repo.id)) here.rows.get(repo.id).draw(repo);
    else $("found").prepend(row(repo));
  }
  if (!here.isLoaded) {
    here.cursor = page.next_cursor;
    $("more").hidden = !here.cursor;
    here.isLoaded = true;
  }
  const fresh = new Set(page.models.map((repo) => repo.id));
  const below = [...here.rows].filter(([id, shown]) => shown.busy && !fresh.has(id));
  for (const [id] of below) await renew(here, id);
  if (here === search) empty();
}

async function renew(here, id) {
  const shown = here.rows.get(id);
  try {
    const repo = await api.get(`/hub/models/${id}`);
    if (here === search) shown.draw(repo);
  } catch (error) {
    if (error.status !== 404) throw error;
    here.rows.delete(id); // somebody took it off the list
    shown.element.remove();
  }
}

async function look() {
  const here = search;
  clearTimeout(next);
  try {
    if (!document.hidden || !here.isLoaded) {
      await refresh(here);
      met(null);
    }
  } catch (error) {
    if (here === search) met(error);
  }
  if (here === search) next = setTimeout(look, LOOK_EVERY_MS);
}

$("add").hidden = !mayStart("mirror");
$("search").addEventListener("submit", again);
$("which").addEventListener("change", again);
$("more").addEventListener("click", more);
again();
