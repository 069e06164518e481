// From the address of a repository to its files on the disk.

import { ask, bytes, pages } from "./api.js";
import { Files } from "./files.js";
import { follow, told } from "./progress.js";
import { Tree } from "./tree.js";

const root = document.getElementById("explorer");
const part = (name) => root.querySelector(`[data-part="${name}"]`);
const mayDownload = root.dataset.mayDownload === "yes";

let repo = null;
let files = new Files();
let tree = null;
let looking = null;
let unfollow = () => {};

function say(words, isIll = false) {
  const place = part("message");
  place.textContent = words;
  place.classList.toggle("df-ill", isIll);
}

async function attempt(work) {
  root.setAttribute("aria-busy", "true");
  try {
    await work();
  } catch (error) {
    if (error.name !== "AbortError") say(error.name === "TimeoutError" ? "The hub took too long; try again." : error.message, true);
  } finally {
    root.removeAttribute("aria-busy");
  }
}

// Finding

async function find(text) {
  say("Looking…");
  const parsed = await ask("/v1/hf/parse-url", { method: "POST", body: { url: text } });
  repo = { author: parsed.author, repo: parsed.repo };
  const [refs, facts] = await Promise.all([
    ask("/v1/hf/refs", { query: repo }),
    ask("/v1/hf/repo", { query: { ...repo, revision: parsed.revision } }),
  ]);
  const revision = parsed.revision ?? "main";
  drawRevisions(refs, revision);
  drawFacts(facts);
  part("found").hidden = false;
  await list(revision, parsed.path);
}

function option(name, group, isChosen) {
  const made = new Option(name, name, isChosen, isChosen);
  group.append(made);
}

function drawRevisions(refs, revision) {
  const select = part("revision");
  select.replaceChildren();
  const known = new Set();
  for (const [label, names] of [["Branches", refs.branches], ["Tags", refs.tags]]) {
    if (!names.length) continue;
    const group = document.createElement("optgroup");
    group.label = label;
    for (const { name } of names) {
      known.add(name);
      option(name, group, name === revision);
    }
    select.append(group);
  }
  if (!known.has(revision)) option(revision, select, true);
}

function drawFacts(facts) {
  part("name").textContent = facts.author ? `${facts.author}/${facts.repo}` : facts.repo;
  const words = [
    `licence ${facts.licence ?? "not stated"}`,
    facts.gated ? "gated: its terms must be accepted at the hub" : "",
    facts.private ? "private" : "",
    facts.pipeline ?? "",
    facts.is_downloaded ? "all of it is here" : "",
    facts.source === "mirror" ? "the hub cannot be reached: this is what the last sync saw" : "",
  ];
  part("facts").textContent = words.filter(Boolean).join(" · ");
}

// Listing

async function list(revision, path, open) {
  looking?.abort();
  looking = new AbortController();
  const { signal } = looking;
  files = new Files();
  tree = new Tree(freshPlace(), files, { onChange: drawTotals, onLook: look, mayChoose: mayDownload, open });
  const query = { ...repo, revision, recursive: true };
  for await (const page of pages("/v1/hf/tree", query, signal)) {
    for (const entry of page.files) if (entry.type === "file") files.add(entry);
    say(`${files.all.length.toLocaleString("en")} files${page.next_cursor ? " so far…" : ""}`);
    tree.draw();
  }
  if (path) chooseAt(path);
  drawTotals();
}

// The old tree's listeners go with its place.
function freshPlace() {
  const old = part("tree");
  const fresh = old.cloneNode(false);
  old.replaceWith(fresh);
  return fresh;
}

function chooseAt(path) {
  const below = `${path.replace(/\/$/, "")}/`;
  for (const file of files.all) if (file.path === path || file.path.startsWith(below)) files.choose(file, true);
  for (let at = path.indexOf("/"); at > 0; at = path.indexOf("/", at + 1)) tree.open.add(path.slice(0, at));
  tree.open.add(path);
  tree.draw();
}

function drawTotals() {
  const { count, size, here } = files.totals;
  const all = files.root;
  part("totals").textContent = count
    ? `${count.toLocaleString("en")} of ${all.count.toLocaleString("en")} files, ${bytes(size)}; ${bytes(here)} of it here already`
    : `Nothing is selected of ${all.count.toLocaleString("en")} files, ${bytes(all.size)}`;
  const start = part("start");
  if (start) start.disabled = !count;
}

// Looking into one file

async function look(file) {
  const place = part("details");
  place.hidden = false;
  part("details-name").textContent = file.path;
  part("details-text").textContent = "Looking…";
  await attempt(async () => {
    const revision = part("revision").value;
    const facts = await ask("/v1/hf/file", { query: { ...repo, revision, path: file.path } });
    const { json, safetensors, problem, ...rest } = facts;
    const lines = Object.entries(rest).map(([name, value]) => `${name}: ${value ?? "-"}`);
    if (problem) lines.push(problem);
    if (safetensors) lines.push("", JSON.stringify(safetensors, null, 2));
    if (json !== null) lines.push("", JSON.stringify(json, null, 2));
    part("details-text").textContent = lines.join("\n");
  });
}

// Downloading

async function start(force = false) {
  const revision = part("revision").value;
  const body = { ...repo, revision, selection: files.selection, force };
  try {
    const made = await ask("/v1/downloads", { method: "POST", body });
    watch(made.download_id);
  } catch (error) {
    if (error.code !== "already_downloaded") throw error;
    say("All of these files are here already.");
    part("force").hidden = false;
  }
}

function watch(id) {
  unfollow();
  part("force").hidden = true;
  part("progress").hidden = false;
  part("progress").dataset.id = id;
  part("path").hidden = true;
  part("job-link").href = root.dataset.job.replace("00000000-0000-0000-0000-000000000000", id);
  say("The download is queued.");
  unfollow = follow(id, drawProgress, ended);
}

function drawProgress(download, shown) {
  part("bar").value = download.progress_pct;
  part("standing").textContent = told(download);
  part("pause").hidden = !["queued", "running"].includes(download.status);
  part("resume").hidden = !["failed", "canceled"].includes(download.status);
  const rows = shown.map((file) => {
    const row = document.createElement("tr");
    const share = file.size_bytes ? Math.floor((100 * file.bytes_done) / file.size_bytes) : 0;
    for (const text of [file.path, bytes(file.size_bytes), file.status === "downloading" ? `${share} %` : file.status]) {
      row.insertCell().textContent = text;
    }
    return row;
  });
  part("files").replaceChildren(...rows);
}

async function ended(download) {
  if (download.status !== "succeeded") {
    say(download.error_message || `The download is ${download.status}; what was fetched is kept.`, download.status === "failed");
    return;
  }
  const job = await ask(`/v1/jobs/${download.id}`);
  part("path").hidden = false;
  part("path-text").textContent = (job.summary.folders ?? []).map((folder) => `${root.dataset.modelsRoot}/${folder}`).join("\n");
  await list(part("revision").value, null, tree.open);
  say("The files are here.");
}

// What people do

part("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = part("address").value.trim();
  if (text) attempt(() => find(text));
});
part("revision").addEventListener("change", () => attempt(() => list(part("revision").value)));
part("all")?.addEventListener("click", () => {
  files.chooseBelow(files.root, files.root.chosen < files.root.count);
  tree.draw();
  drawTotals();
});
part("by-pattern")?.addEventListener("submit", (event) => {
  event.preventDefault();
  const found = files.chooseByPattern(part("pattern").value.trim());
  say(found ? `${found} ${found === 1 ? "file fits" : "files fit"}.` : "No file fits this pattern.", !found);
  tree.draw();
  drawTotals();
});
part("start")?.addEventListener("click", () => attempt(() => start()));
part("force")?.addEventListener("click", () => attempt(() => start(true)));
part("pause").addEventListener("click", () =>
  attempt(async () => {
    await ask(`/v1/downloads/${part("progress").dataset.id}/cancel`, { method: "POST" });
  }),
);
part("resume").addEventListener("click", () =>
  attempt(async () => {
    const made = await ask(`/v1/downloads/${part("progress").dataset.id}/retry`, { method: "POST" });
    watch(made.download_id);
  }),
);
part("copy").addEventListener("click", async () => {
  await navigator.clipboard?.writeText(part("path-text").textContent);
  say("Copied.");
});
part("details-close").addEventListener("click", () => {
  part("details").hidden = true;
});

const asked = new URLSearchParams(location.search).get("repo");
if (asked) {
  part("address").value = asked;
  attempt(() => find(asked));
}
