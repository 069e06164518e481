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
    search.rows.get(now.id).busy = Boolean(now.work);
  };
  const name = h("a", { class: "path touch", dir: "auto", href: app(`repositories/${repo.id}`) }, title(repo));
  const element = h("li", { class: "card" },
    h("div", { class: "named" }, name, h("span", { class: "quiet small path", dir: "auto" }, repo.revision)), told, line, bar);
  search.rows.set(repo.id, { element, draw });
  draw(repo);
  return element;
}

function again(event) {
  event?.preventDefault();
  fill($("found"));
  $("none").hidden = true;
  search = { query: asked(), cursor: "", rows: new Map() };
  return more();
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
    empty();
  } catch (error) {
    problem(error);
  }
  if (here === search) $("more").hidden = !here.cursor;
}

function empty() {
  $("none").hidden = search.rows.size > 0;
  const isSearch = search.query.q || $("which").value;
  $("none").textContent = isSearch ? "No repository fits." : "Nothing is tracked yet.";
}

/** The newest page again, and below it what something works on. */
async function refresh() {
  const here = search;
  const page = await api.get("/hub/models", here.query);
  const fresh = new Set(page.models.map((repo) => repo.id));
  if (here !== search) return;
  for (const repo of [...page.models].reverse()) {
    if (here.rows.has(repo.id)) here.rows.get(repo.id).draw(repo);
    else $("found").prepend(row(repo));
  }
  empty();
  for (const [id, shown] of here.rows) {
    if (!shown.busy || fresh.has(id)) continue;
    const repo = await api.get(`/hub/models/${id}`);
    if (here === search) shown.draw(repo);
  }
}

async function look() {
  try {
    if (!document.hidden) {
      await refresh();
      met(null);
    }
  } catch (error) {
    met(error);
  }
  setTimeout(look, LOOK_EVERY_MS);
}

$("add").hidden = !mayStart("mirror");
$("search").addEventListener("submit", again);
$("which").addEventListener("change", again);
$("more").addEventListener("click", more);
again().then(look);
