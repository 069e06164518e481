// One job's page: the log grows as the job speaks, and what it says draws the rest afresh.

import { renew } from "./live.js";

const MOST_LINES = 1000;
const log = document.getElementById("log");
const rows = log.querySelector("tbody");
const follow = document.getElementById("log-follow");
const withProgress = document.getElementById("log-progress");
const KNOWN = new Set(["ts", "level", "code", "message", "item_index", "seq", "job_id", "step_id"]);

function toEnd() {
  if (follow.checked) log.scrollTop = log.scrollHeight;
}

function showProgress() {
  log.classList.toggle("df-log-without-progress", !withProgress.checked);
  toEnd();
}

function cell(row, className, text) {
  const made = row.insertCell();
  made.className = className;
  made.textContent = text;
  return made;
}

function append(line) {
  const last = Number(rows.lastElementChild?.dataset.seq ?? 0);
  if (line.seq <= last) return;
  const row = rows.insertRow();
  row.dataset.seq = line.seq;
  row.className = `df-level-${line.level}`;
  if (line.code === "progress") row.classList.add("df-log-progress");
  cell(row, "df-log-ts", line.ts.slice(11, 23));
  cell(row, "df-log-code", line.code);
  const item = line.item_index === undefined ? "" : `#${line.item_index} `;
  const words = cell(row, "", `${item}${line.message ?? ""}`);
  words.dir = "auto";
  const more = Object.fromEntries(Object.entries(line).filter(([name]) => !KNOWN.has(name)));
  if (Object.keys(more).length) {
    const payload = document.createElement("span");
    payload.className = "df-log-payload";
    payload.textContent = ` ${JSON.stringify(more)}`;
    words.append(payload);
  }
  while (rows.children.length > MOST_LINES) rows.firstElementChild.remove();
  toEnd();
}

// However fast the job speaks, the rest of the page is drawn once a second.
function throttled(act, every) {
  let timer = 0;
  return () => {
    if (timer) return;
    timer = setTimeout(() => {
      timer = 0;
      act();
    }, every);
  };
}

function listen() {
  const page = renew({ every: 5000 });
  const drawSoon = throttled(page.now, 1000);
  const last = rows.lastElementChild?.dataset.seq ?? 0;
  const stream = new EventSource(`${log.dataset.stream}?since_id=${last}`);
  for (const name of ["log", "progress", "artifact", "error"]) {
    stream.addEventListener(name, (event) => {
      if (!event.data) return; // the connection's own error, which the browser repairs
      append(JSON.parse(event.data));
      drawSoon();
    });
  }
  stream.addEventListener("end", async () => {
    stream.close();
    await page.now();
    page.stop("The job has ended");
  });
  window.addEventListener("pagehide", () => stream.close());
}

withProgress.addEventListener("change", showProgress);
// Who scrolls up wants to read: following stops until the end is reached again.
log.addEventListener("wheel", () => {
  requestAnimationFrame(() => {
    follow.checked = log.scrollTop + log.clientHeight >= log.scrollHeight - 8;
  });
});
showProgress();
if (log.dataset.stream) listen();
