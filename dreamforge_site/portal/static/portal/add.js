/* From a pasted address to a download: branches and tags, the files, what is chosen of them. */

import * as api from "./api.js";
import { $, fill, h } from "./dom.js";
import { app, mayStart } from "./session.js";
import { problem } from "./telling.js";
import { Tree } from "./tree.js";
import * as shelf from "./tree_shown.js";
import { watch } from "./watching.js";
import { bytes, plural } from "./words.js";

const COMMIT = /^[0-9a-f]{40}$/;
let at = null; // {author, repo, revision, path} that the page shows
let tree = new Tree();

const name = () => (at.author ? `${at.author}/${at.repo}` : at.repo);

async function look(event) {
  event?.preventDefault();
  problem(null);
  $("repository").hidden = true;
  const text = $("url").value.trim();
  if (!text) return;
  try {
    if (/^(https?:\/\/)?([\w-]+\.)*civitai\.|^civitai:/i.test(text)) return other(text);
    const found = await api.post("/hf/parse-url", { url: text });
    history.replaceState(null, "", `?url=${encodeURIComponent(text)}`);
    await show({ ...found, revision: found.revision || "main" });
  } catch (error) {
    problem(error);
  }
}

/** An address of a source without a tree: it is installed as a whole. */
function other(text) {
  const go = h("button", { type: "button", class: "main" }, "Install this model");
  go.addEventListener("click", () => install(text, go));
  fill($("problem"), h("div", { class: "card" },
    h("p", {}, "A model of CivitAI is installed with the files that its page names."),
    mayStart("download") ? go : h("p", { class: "quiet" }, "This account may look, not download.")));
}

async function show(place) {
  at = place;
  $("repository-title").textContent = name();
  $("facts-line").textContent = "";
  tracked(null);
  const query = { author: at.author, repo: at.repo };
  const refs = await api.get("/hf/refs", query);
  if (at !== place) return; // another address was asked for since
  revisions(refs);
  $("repository").hidden = false;
  described({ ...query, revision: at.revision });
  await files();
}

function revisions({ branches, tags }) {
  const option = (ref) => h("option", { value: ref.name }, ref.name);
  const group = (label, refs) => (refs.length ? h("optgroup", { label }, refs.map(option)) : null);
  const named = [...branches, ...tags].some((ref) => ref.name === at.revision);
  const own = named ? null : h("option", { value: at.revision }, COMMIT.test(at.revision) ? `commit ${at.revision.slice(0, 12)}` : at.revision);
  fill($("revision"), own, group("Branches", branches), group("Tags", tags));
  $("revision").value = at.revision;
}

/** What its card says; the files do not wait for it, and a repository without one has files too. */
async function described(query) {
  const mine = at;
  try {
    const card = await api.get("/hf/repo", query);
    const told = [card.licence && `licence ${card.licence}`, card.gated && "gated: its terms must be accepted on its page", card.private && "private", card.commit && `commit ${card.commit.slice(0, 12)}`, card.source === "mirror" && "from the last sync: the hub cannot be reached"];
    if (mine !== at) return;
    $("facts-line").textContent = told.filter(Boolean).join(" · ");
    tracked(card.repo_id);
  } catch (error) {
    if (mine === at) $("facts-line").textContent = error.message;
  }
}

function tracked(id) {
  $("tracked").hidden = !id;
  if (id) $("to-repository").href = app(`repositories/${id}`);
}

/** Reads folder after folder, so that sums are true; what is read is shown and can be chosen. */
async function files() {
  const mine = new Tree();
  tree = mine;
  shelf.show(mine, changed);
  $("reading").textContent = "Reading the files…";
  const waiting = [""];
  while (waiting.length) {
    const folder = waiting.shift();
    for await (const page of pages(folder)) {
      if (tree !== mine) return;
      waiting.push(...mine.add(folder, page));
      $("reading").textContent = `Reading… ${plural(mine.files.size, "file")}`;
      shelf.grew(folder);
    }
  }
  $("reading").textContent = plural(mine.files.size, "file");
  if (at.path) mine.choose(mine.under(at.path), true);
  shelf.refresh();
  changed();
}

async function* pages(folder) {
  let cursor = "";
  do {
    const page = await api.get("/hf/tree", { author: at.author, repo: at.repo, revision: at.revision, path: folder, cursor });
    yield page.files;
    cursor = page.next_cursor;
  } while (cursor);
}

function changed() {
  const sum = tree.total();
  const missing = Math.max(0, sum.bytes - sum.local);
  const open = sum.unknown ? `, ${plural(sum.unknown, "file")} of unknown size` : "";
  $("total").textContent = sum.files
    ? `${plural(sum.files, "file")}, ${bytes(sum.bytes)}${open}; ${bytes(sum.local)} here already, ${bytes(missing)} to fetch.`
    : "Nothing is chosen.";
  $("total").parentElement.classList.toggle("stick", sum.files > 0);
  $("start").disabled = !sum.files || !mayStart("mirror");
}

async function start(force = false) {
  $("start").disabled = true;
  problem(null);
  const whole = tree.chosen.size === tree.files.size;
  const body = { author: at.author, repo: at.repo, revision: at.revision, ...(whole ? {} : { selection: tree.selection() }) };
  try {
    const made = await api.post("/downloads", force ? { ...body, force } : body);
    leave(made.download_id, "mirror", name());
  } catch (error) {
    if (error.code === "already_downloaded") here(error);
    else problem(error);
    $("problem").scrollIntoView({ block: "center" });
    changed();
  }
}

function here(error) {
  const again = h("button", { type: "button", onclick: () => start(true) }, "Fetch it again");
  fill($("problem"), h("div", { class: "notice" }, h("p", {}, error.message), again));
}

async function install(ref, button) {
  button.disabled = true;
  problem(null);
  try {
    const made = await api.post("/models:download", { ref });
    leave(made.download_id, "download", ref);
  } catch (error) {
    problem(error);
    button.disabled = false;
  }
}

function leave(id, type, title) {
  watch(id, type, title);
  location.assign(app(`downloads/${id}`));
}

$("address").addEventListener("submit", look);
$("revision").addEventListener("change", () => {
  at = { ...at, revision: $("revision").value, path: null };
  tracked(null);
  described({ author: at.author, repo: at.repo, revision: at.revision });
  files().catch((error) => problem(error));
});
$("start").addEventListener("click", () => start());
$("start").hidden = !mayStart("mirror");
$("install").hidden = !mayStart("download");
$("install").addEventListener("click", (event) => install(`hf:${name()}@${at.revision}`, event.currentTarget));
shelf.connect();

const given = new URLSearchParams(location.search).get("url");
if (given) {
  $("url").value = given;
  look();
}
