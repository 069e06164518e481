/* The gallery: search, page by page, and the origin of a dropped image. */

import * as api from "./api.js";
import { $, facts, fill, h } from "./dom.js";
import * as known from "./models_known.js";
import { LINKS_FOR_S, reuse, tile } from "./picture.js";
import { USER } from "./session.js";
import { problem } from "./telling.js";
import { bytes } from "./words.js";

const PAGE = 48;
const LARGEST = 64 * 1024 * 1024;
let names = new Map();
let search = null; // what is shown now; an answer to an older one is thrown away

function asked() {
  const everybody = $("everybody")?.checked;
  return {
    q: $("q").value.trim(),
    seed: $("seed").value.trim(),
    model_id: $("model").value,
    mine: USER.is_staff && !everybody ? "true" : "",
    limit: PAGE,
    ttl: LINKS_FOR_S,
  };
}

function again(event) {
  event?.preventDefault();
  fill($("found"));
  search = { query: asked(), cursor: "" };
  more();
}

/** The next images; a page may be empty and still not be the last. */
async function more() {
  const here = search;
  problem(null);
  $("more").hidden = true;
  $("none").hidden = false;
  $("none").textContent = "Looking…";
  try {
    let shown = 0;
    do {
      const page = await api.get("/artifacts", { ...here.query, cursor: here.cursor });
      if (here !== search) return;
      $("found").append(...page.artifacts.map((image) => tile(image, names, empty)));
      shown += page.artifacts.length;
      here.cursor = page.next_cursor;
    } while (here.cursor && !shown);
    $("more").hidden = !here.cursor;
    empty();
  } catch (error) {
    $("none").hidden = true;
    problem(error);
  }
}

function empty() {
  const { q, seed, model_id: model } = search.query;
  $("none").hidden = $("found").childElementCount > 0;
  $("none").textContent = q || seed || model ? "No image fits." : "No images yet.";
}

// The origin of a file

const VERDICTS = { authentic: "Made here", altered: "Changed since", unknown: "Not known here" };

async function verify(file) {
  const place = $("verdict");
  if (!file) return;
  if (!["image/png", "image/jpeg"].includes(file.type)) {
    return problem({ message: "Only PNG and JPEG files say where they come from." }, place);
  }
  if (file.size > LARGEST) return problem({ message: `The file has ${bytes(file.size)}; 64 MiB is the most.` }, place);
  fill(place, h("p", { class: "quiet" }, "Looking at the file…"));
  try {
    fill(place, verdict(await api.upload("/artifacts:verify", file), file));
  } catch (error) {
    problem(error, place);
  }
}

function verdict(told, file) {
  const said = told.record || {};
  const again = told.request
    ? h("button", { type: "button", class: "main", onclick: () => reuse(told.request) }, "Use these settings again")
    : null;
  const rows = ["prompt", "negative_prompt", "seed", "width", "height", "steps", "guidance", "scheduler", "model", "model_version", "checkpoint_hash", "job_id"];
  return h("div", { class: `verdict ${told.verdict}`, "data-verdict": told.verdict },
    h("p", {}, h("strong", {}, VERDICTS[told.verdict] || told.verdict), " ", h("span", { dir: "auto" }, file.name)),
    h("p", {}, told.message),
    facts(rows.map((name) => [name.replaceAll("_", " "), plain(said[name])])),
    again);
}

const plain = (value) => (value !== null && typeof value === "object" ? JSON.stringify(value) : value);

function dropping(on) {
  $("drop").classList.toggle("over", on);
}

addEventListener("dragover", (event) => { event.preventDefault(); dropping(true); });
addEventListener("dragleave", (event) => { if (!event.relatedTarget) dropping(false); });
addEventListener("drop", (event) => {
  event.preventDefault();
  dropping(false);
  verify(event.dataTransfer.files[0]);
});
$("file").addEventListener("change", (event) => {
  verify(event.target.files[0]);
  event.target.value = "";
});

$("search").addEventListener("submit", again);
$("model").addEventListener("change", again);
$("everybody")?.addEventListener("change", again);
$("more").addEventListener("click", more);

async function begin() {
  const models = await known.drawing();
  names = known.names(models);
  $("model").append(...models.map((model) => h("option", { value: model.id }, known.title(model))));
  again();
}

begin().catch((error) => problem(error));
