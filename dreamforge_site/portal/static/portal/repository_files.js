/* A repository's files, page by page: which are here, which are not, and where they lie. */

import * as api from "./api.js";
import { copy } from "./copying.js";
import { $, fill, h, symbol } from "./dom.js";
import { problem } from "./telling.js";
import { bytes, plural } from "./words.js";

const PAGE = 200;
let id = "";
let onDisk = (path) => path;
let shown = null; // {query, cursor, count}; an answer to an older one is thrown away

export function connect(repo, place) {
  id = repo;
  onDisk = place;
  $("search").addEventListener("submit", (event) => { event.preventDefault(); again({ afresh: true }); });
  $("status").addEventListener("change", () => again({ afresh: true }));
  $("more").addEventListener("click", more);
}

/** From the first file on, as far as was shown before. */
export async function again({ afresh = false } = {}) {
  const wanted = afresh || !shown ? PAGE : shown.count;
  const here = { query: { q: $("q").value.trim(), status: $("status").value, limit: PAGE }, cursor: "", count: 0 };
  shown = here;
  const rows = [];
  try {
    do rows.push(...await next(here)); while (here.cursor && here.count < wanted && here === shown);
    if (here !== shown) return;
    fill($("files"), rows);
    told();
  } catch (error) {
    if (here === shown) problem(error);
  }
}

async function more() {
  const here = shown;
  $("more").disabled = true;
  try {
    const rows = await next(here);
    if (here === shown) {
      $("files").append(...rows);
      told();
      rows[0]?.querySelector("button")?.focus({ preventScroll: true });
    }
  } catch (error) {
    problem(error);
  } finally {
    $("more").disabled = false;
  }
}

async function next(here) {
  const page = await api.get(`/hub/models/${id}/files`, { ...here.query, cursor: here.cursor });
  here.cursor = page.next_cursor;
  here.count += page.files.length;
  return page.files.map(row);
}

function told() {
  const isSearch = shown.query.q || shown.query.status;
  $("more").hidden = !shown.cursor;
  $("count").textContent = shown.count
    ? `${plural(shown.count, "file")} shown${shown.cursor ? ", and there are more" : ""}.`
    : isSearch ? "No file fits." : "Its files are not known yet.";
}

function row(file) {
  const state = file.status === "failed" ? "failed" : file.local_path ? "succeeded" : "";
  const why = file.error || (file.local_path ? "" : file.barred);
  return h("li", { "data-status": file.status },
    h("span", { class: "path", dir: "auto" }, file.path, why ? h("span", { class: "why", dir: "auto" }, ` ${why}`) : null),
    h("span", { class: "row tail" },
      h("span", { class: "quiet small size" }, bytes(file.size_bytes)),
      h("span", { class: "state", "data-state": state }, word(file)),
      file.local_path ? copying(file) : h("span", { class: "gap" })));
}

function word(file) {
  if (file.status === "failed") return "failed";
  if (file.local_path) return "here";
  return file.barred ? "not allowed" : "not here";
}

function copying(file) {
  return h("button", { type: "button", class: "plain", "aria-label": `Copy the path of ${file.path}`, onclick: () => copy(onDisk(file.local_path)) }, symbol("copy"));
}
