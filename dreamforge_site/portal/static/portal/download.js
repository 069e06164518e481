/* One download: its progress as it happens, its files, its log; pause and resume. */

import * as api from "./api.js";
import { $, fill, h } from "./dom.js";
import { FACTS, app, mayActOn, mayStart } from "./session.js";
import { Stream } from "./stream.js";
import { met, problem } from "./telling.js";
import { forget, watch } from "./watching.js";
import { KINDS, OVER, STATES, bytes, duration, plural } from "./words.js";

const ID = FACTS.download_id;
const FILES_AT_ONCE = 200;
const FILES_EVERY_MS = 2000;
const LOG_LINES = 500;
const rows = new Map(); // path → what draws it
let shown = FILES_AT_ONCE;
let one = null;

const title = () => one.ref || one.source_uri || KINDS[one.kind] || one.kind;

function draw() {
  $("one").hidden = false;
  $("title").textContent = title();
  document.title = `${title()} · Dream Forge`;
  $("state").textContent = STATES[one.status];
  $("state").dataset.state = one.status;
  $("overall").value = one.status === "succeeded" ? 100 : one.progress_pct;
  $("status").textContent = line();
  const over = OVER.includes(one.status);
  const mayAct = mayActOn(one.owner_id);
  $("pause").hidden = over || !mayAct;
  $("resume").hidden = !["failed", "canceled"].includes(one.status) || !mayAct || !mayStart(one.kind);
  $("resume").textContent = one.status === "failed" ? "Try again" : "Resume";
  $("to-model").hidden = !(one.kind === "download" && one.status === "succeeded" && one.model_id);
  if (one.model_id) $("to-model").href = `${app("create")}#model=${one.model_id}`;
  $("to-repository").hidden = !one.repo_id;
  if (one.repo_id) $("to-repository").href = app(`repositories/${one.repo_id}`);
}

function line() {
  if (one.status === "failed") return one.error_message;
  const total = one.bytes_total === null ? "" : ` of ${bytes(one.bytes_total)}`;
  const done = one.bytes_done || one.bytes_total ? `${bytes(one.bytes_done)}${total}` : "";
  if (one.status === "canceled") return `${done} fetched; what was fetched is kept.`;
  if (one.status !== "running") return done;
  const rate = one.rate_bps ? ` · ${bytes(one.rate_bps)}/s` : "";
  const eta = one.eta_s ? ` · ${duration(one.eta_s)} left` : "";
  const counts = one.files ? ` · ${plural(one.files.done, "file")} done, ${one.files.pending + one.files.downloading} to go` : "";
  return `${done}${rate}${eta}${counts}`;
}

async function refresh() {
  one = await api.get(`/downloads/${ID}`);
  draw();
}

function listen() {
  const hear = { progress: moved, log: said, error: said, end: ended };
  new Stream(ID, `/downloads/${ID}/stream`, hear, () => refresh().catch((error) => met(error)));
}

function moved(event) {
  const told = JSON.parse(event.data);
  const { bytes_done, bytes_total, rate_bps, eta_s, files, overall } = told;
  if (OVER.includes(one.status) || bytes_done === undefined) return;
  one = { ...one, status: "running", bytes_done, bytes_total, rate_bps, eta_s, files, progress_pct: (overall ?? 0) * 100 };
  draw();
}

function said(event) {
  const told = JSON.parse(event.data);
  const time = new Date(told.ts).toLocaleTimeString();
  $("log").append(h("li", { class: told.level, dir: "auto" }, `${time} ${told.message || told.code}`));
  while ($("log").childElementCount > LOG_LINES) $("log").firstElementChild.remove();
}

async function ended() {
  try {
    await refresh();
    await files();
    if (!document.hidden) forget(ID);
  } catch (error) {
    problem(error);
  }
}

// Its files

function row(file) {
  const bar = h("progress", { "aria-label": `Progress of ${file.path}` });
  const told = h("span", { class: "quiet small size" });
  const element = h("li", {}, h("span", { class: "path", dir: "auto" }, file.path), bar, told);
  return { element, draw(now) {
    element.dataset.state = now.status;
    bar.max = now.size_bytes || 1;
    bar.value = now.status === "done" ? bar.max : now.bytes_done;
    bar.hidden = now.status === "pending" || now.status === "done";
    told.textContent = { pending: bytes(now.size_bytes), done: `${bytes(now.size_bytes)}, done`, failed: "failed" }[now.status]
      || `${bytes(now.bytes_done)} of ${bytes(now.size_bytes)}`;
  } };
}

async function files() {
  let read = 0;
  let left = false;
  for await (const file of api.entries(`/downloads/${ID}/files`, "files", { limit: 200 })) {
    if (read === shown) { left = true; break; }
    if (!rows.has(file.path)) {
      rows.set(file.path, row(file));
      $("files").append(rows.get(file.path).element);
    }
    rows.get(file.path).draw(file);
    read += 1;
  }
  $("more-files").hidden = !left;
  if (!read && !rows.size) fill($("files"), h("li", { class: "quiet" }, "Not known yet."));
  else if (read) $("files").querySelector("li.quiet")?.remove();
}

async function lookAtFiles() {
  try {
    if (!document.hidden) {
      await files();
      met(null);
    }
  } catch (error) {
    met(error);
  }
  if (!OVER.includes(one.status)) setTimeout(lookAtFiles, FILES_EVERY_MS);
}

// Pause and resume

async function pause() {
  $("pause").disabled = true;
  try {
    await api.post(`/downloads/${ID}/cancel`);
    $("status").textContent = "Stopping; what was fetched is kept.";
  } catch (error) {
    if (error.code !== "invalid_state") problem(error);
  } finally {
    $("pause").disabled = false;
  }
}

async function resume() {
  $("resume").disabled = true;
  try {
    const made = await api.post(`/downloads/${ID}/retry`);
    watch(made.download_id, one.kind, title());
    location.assign(app(`downloads/${made.download_id}`));
  } catch (error) {
    problem(error);
    $("resume").disabled = false;
  }
}

$("pause").addEventListener("click", pause);
$("resume").addEventListener("click", resume);
$("more-files").addEventListener("click", () => { shown += FILES_AT_ONCE; files().catch(problem); });

refresh().then(() => {
  if (!OVER.includes(one.status)) watch(ID, one.kind, title());
  listen();
  lookAtFiles();
}).catch((error) => problem(error));
