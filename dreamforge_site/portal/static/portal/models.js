/* The catalogue: which models there are, and what is known about one. */

import * as api from "./api.js";
import { $, facts, fill, h, open } from "./dom.js";
import { app, mayStart } from "./session.js";
import { problem } from "./telling.js";
import { bytes, moment, plural } from "./words.js";

const PAGE = 60;
const FILES = 200;
const TRUST = {
  verified: "Every file equals what its source published",
  local: "Recorded here; the source published no digest",
  overridden: "Taken by an operator's word",
  unverified: "Not checked yet",
  mismatch: "Differs from its source",
};
let search = null;

const kind = (text) => text.replaceAll("-", " ");
const draws = (model) => Boolean(model.parameters_schema?.properties?.prompt);

function card(model) {
  const use = draws(model) ? h("a", { class: "button", href: `${app("create")}#model=${model.id}` }, "Draw with it") : null;
  return h("li", { class: "card" },
    h("h2", { dir: "auto" }, model.name),
    h("p", { class: "quiet" }, h("span", { class: "state" }, kind(model.kind)), " ", h("span", { dir: "auto" }, model.version)),
    h("div", { class: "actions" }, use, h("button", { type: "button", onclick: () => about(model) }, "About")));
}

function again(event) {
  event?.preventDefault();
  fill($("found"));
  search = { query: { q: $("q").value.trim(), kind: $("kind").value, limit: PAGE }, cursor: "" };
  more();
}

async function more() {
  const here = search;
  problem(null);
  try {
    const page = await api.get("/models", { ...here.query, cursor: here.cursor });
    if (here !== search) return;
    here.cursor = page.next_cursor;
    $("found").append(...page.models.map(card));
    remember(page.models);
    $("more").hidden = !page.next_cursor;
    $("none").hidden = $("found").childElementCount > 0;
    $("none").textContent = here.query.q || here.query.kind ? "No model fits." : "No model is ready yet.";
  } catch (error) {
    problem(error);
  }
}

function remember(models) {
  const there = new Set([...$("kind").options].map((option) => option.value));
  const fresh = [...new Set(models.map((model) => model.kind))].filter((one) => !there.has(one));
  $("kind").append(...fresh.map((one) => h("option", { value: one }, kind(one))));
}

async function about(model) {
  problem(null);
  try {
    const whole = await api.get(`/models/${model.id}`);
    $("about-title").textContent = whole.name;
    fill($("about-body"), described(whole));
    $("about-close").onclick = () => $("about").close();
    open($("about"));
  } catch (error) {
    problem(error);
  }
}

function described(model) {
  const files = model.files_json.slice(0, FILES);
  const left = model.files_json.length - files.length;
  return [
    facts([
      ["Version", model.version],
      ["Kind", kind(model.kind)],
      ["Source", model.source_uri],
      ["Licence", model.provenance.licence],
      ["Size", bytes(model.size_bytes)],
      ["Trust", TRUST[model.trust] || model.trust],
      ["Checkpoint", model.checkpoint_hash],
      ["Last used", moment(model.last_used_at) || "never"],
      ["Added", moment(model.created_at)],
    ]),
    h("details", {},
      h("summary", {}, plural(model.files_json.length, "file")),
      h("ul", { class: "lines" }, files.map((file) => h("li", {}, h("span", { class: "path", dir: "auto" }, file.path), h("span", { class: "quiet" }, bytes(file.size))))),
      left > 0 ? h("p", { class: "quiet" }, `and ${left} more`) : null),
  ];
}

$("add").hidden = !mayStart("download");
$("search").addEventListener("submit", again);
$("kind").addEventListener("change", again);
$("more").addEventListener("click", more);
again();
