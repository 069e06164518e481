/* One tracked repository: how it stands, what works on it, and what this user may start. */

import * as api from "./api.js";
import { copy } from "./copying.js";
import { $, facts, fill, h, open } from "./dom.js";
import { mark } from "./fields.js";
import * as files from "./repository_files.js";
import { amount, atWork, isOfTheHub, states, title } from "./repository_words.js";
import { FACTS, app, mayStart } from "./session.js";
import { met, problem } from "./telling.js";
import { watch } from "./watching.js";
import { bytes, moment, plural, short } from "./words.js";

const ID = FACTS.repo_id;
const LOOK_WHILE_WORKING_MS = 2000;
const LOOK_AT_REST_MS = 8000;
const LONGEST_ERROR = 600;
let one = null;
let next = null; // the look that comes by itself
let era = 0; // of presses: a look from before the last one tells what is no longer so

/** On the server's own disk, for those who may know where; else below the models root. */
const onDisk = (path) => (FACTS.models_root ? `${FACTS.models_root}/${path}` : path);

function draw() {
  $("one").hidden = false;
  $("title").textContent = title(one);
  document.title = `${title(one)} · Dream Forge`;
  fill($("states"), states(one));
  $("states").hidden = !$("states").childElementCount;
  $("wrong").hidden = !one.error_message;
  $("wrong").textContent = short(one.error_message, LONGEST_ERROR);
  fill($("about"), about());
  drawWork();
  drawUpdate();
  drawPlace();
  offer();
}

function about() {
  const page = /^https?:/.test(one.page) ? h("a", { href: one.page, rel: "noreferrer", target: "_blank" }, one.page) : null;
  return facts([
    ["Revision", one.revision],
    ["Commit", one.commit],
    ["Here", amount(one)],
    ["Licence", one.licence],
    ["Gated", one.gated ? "its terms must be accepted on its page" : null],
    ["Page", page],
    ["Gone since", moment(one.gone_at)],
    ["Synced", moment(one.synced_at)],
    ["Looked for news", moment(one.checked_at)],
  ]);
}

function drawWork() {
  $("work").hidden = !one.work;
  if (!one.work) return;
  const text = atWork(one.work);
  const { job_id: job } = one.work;
  fill($("work-line"), job ? h("a", { class: "touch", href: app(`downloads/${job}`) }, text) : text);
  $("overall").value = one.work.progress;
}

/** What the newest commit would change, and the button that brings it. */
function drawUpdate() {
  $("update").hidden = !one.update_commit;
  if (!one.update_commit) return fill($("update"));
  const go = h("button", { type: "button", id: "approve", disabled: Boolean(one.work) }, "Update");
  go.addEventListener("click", () => start(go, "update", `/hub/models/${ID}/update`));
  fill($("update"), h("p", {}, difference(one.update)), mayStart("update") ? h("p", {}, go) : null);
}

function difference({ added, changed, removed, bytes_to_fetch: missing }) {
  if (added === undefined) return "An update is known.";
  return `An update is known: ${plural(added, "file")} added, ${changed} changed, ${removed} removed; ${bytes(missing)} to fetch.`;
}

function drawPlace() {
  $("place").hidden = !one.folder;
  $("folder").textContent = onDisk(one.folder);
}

/** No button whose call would be refused: by this user's rights, or as the repository stands. */
function offer() {
  const known = Boolean(one.commit);
  const hub = isOfTheHub(one);
  const left = known && one.done_count < one.file_count && !one.is_downloaded;
  $("rest").hidden = !(hub && mayStart("mirror") && (left || !known));
  $("rest").textContent = one.done_count ? "Download the rest" : "Download all";
  $("choose").hidden = !(hub && mayStart("mirror"));
  $("choose").href = `${app("add")}?url=${encodeURIComponent(address())}`;
  $("install").hidden = !(known && mayStart("install"));
  $("check").hidden = !(hub && mayStart("watch"));
  $("sync").hidden = !(hub && mayStart("sync"));
  for (const name of ["rest", "install", "check", "sync"]) $(name).disabled = Boolean(one.work);
}

const address = () => `https://huggingface.co/${title(one)}/tree/${encodeURIComponent(one.revision)}`;

// Looking

async function refresh() {
  const mine = era;
  const before = one;
  const now = await api.get(`/hub/models/${ID}`);
  if (mine !== era) return;
  one = now;
  draw();
  const moved = before && (before.commit !== one.commit || before.done_count !== one.done_count);
  if (!before || moved || (before.work && !one.work)) await files.again();
}

async function look() {
  const mine = era;
  try {
    if (!document.hidden) {
      await refresh();
      met(null);
    }
  } catch (error) {
    met(error);
    if (error.status === 404) return; // somebody took it off the list
  }
  if (mine === era) again(one?.work ? LOOK_WHILE_WORKING_MS : LOOK_AT_REST_MS);
}

function again(afterMs) {
  clearTimeout(next);
  next = setTimeout(look, afterMs);
}

// Starting

async function start(button, kind, path, body = {}) {
  button.disabled = true;
  problem(null);
  try {
    await begin(kind, path, body);
  } catch (error) {
    button.disabled = false;
    problem(error);
    $("problem").scrollIntoView({ block: "center" });
  }
}

/** No look is made and none is heard until there is an answer. */
async function begin(kind, path, body) {
  era += 1;
  clearTimeout(next);
  try {
    const made = await api.post(path, body);
    const job = made.job_id || made.download_id;
    watch(job, kind, title(one));
    one = { ...one, work: { job_id: job, kind, status: made.status, progress: 0 } };
    draw();
  } finally {
    again(LOOK_WHILE_WORKING_MS);
  }
}

const names = () => ({ ...(one.author ? { author: one.author } : {}), repo: one.repo, revision: one.revision });

async function install(event) {
  event.preventDefault();
  const form = $("model");
  const said = Object.fromEntries(["name", "version", "path"].map((name) => [name, form.elements[name].value.trim()]).filter(([, value]) => value));
  mark(form, {});
  problem(null, $("refused"));
  $("model-go").disabled = true;
  try {
    await begin("install", `/hub/models/${ID}/install`, { ...said, enable: form.elements.enable.checked });
    $("installing").close();
  } catch (error) {
    const left = mark(form, error.fields || {});
    const placed = Object.keys(error.fields || {}).length && !left.length;
    if (!placed) problem(left.length ? { message: left.join(" ") } : error, $("refused"));
  } finally {
    $("model-go").disabled = false;
  }
}

$("rest").addEventListener("click", () => start($("rest"), "mirror", "/downloads", names()));
$("check").addEventListener("click", () => start($("check"), "watch", `/hub/models/${ID}/check`));
$("sync").addEventListener("click", () => start($("sync"), "sync", "/hub/sync", { repo_id: ID }));
$("install").addEventListener("click", () => open($("installing")));
$("installing-close").addEventListener("click", () => $("installing").close());
$("model").addEventListener("submit", install);
$("copy").addEventListener("click", () => copy(onDisk(one.folder)));
files.connect(ID, onDisk);
look();
