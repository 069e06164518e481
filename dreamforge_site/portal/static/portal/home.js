/* What is at work, and the newest images. */

import * as api from "./api.js";
import { $, fill, h } from "./dom.js";
import * as known from "./models_known.js";
import { LINKS_FOR_S, reuse, tile } from "./picture.js";
import { app, USER } from "./session.js";
import { problem } from "./telling.js";
import { KINDS, OVER, STATES, plural } from "./words.js";

const LOOK_EVERY_MS = 4000;
const SHOWN = 12;

$("idea").addEventListener("submit", (event) => {
  event.preventDefault();
  reuse({ prompt: $("idea-text").value.trim() });
});

function line(job) {
  const isImages = job.type === "generate";
  const address = isImages ? `${app("create")}#job=${job.id}` : app(`downloads/${job.id}`);
  const count = isImages && job.summary.count ? `, ${plural(job.summary.count, "image")}` : "";
  return h("li", {},
    h("a", { href: address }, `${KINDS[job.type] || job.type}${count}`),
    h("span", { class: "quiet" }, STATES[job.status]),
    h("progress", { max: 1, value: job.progress, "aria-label": "Progress" }));
}

async function now() {
  const found = [];
  for (const status of ["running", "queued"]) {
    const page = await api.get("/jobs", { status, limit: 10 });
    found.push(...page.jobs.filter((job) => !OVER.includes(job.status)));
  }
  fill($("now"), found.length ? h("ul", { class: "lines" }, found.map(line)) : h("p", { class: "quiet" }, "Nothing runs or waits."));
}

async function look() {
  try {
    if (!document.hidden) await now();
  } catch (error) {
    problem(error, $("now"));
  }
  setTimeout(look, LOOK_EVERY_MS);
}

async function recent() {
  const mine = USER.is_staff ? "true" : "";
  const [page, models] = await Promise.all([
    api.get("/artifacts", { limit: SHOWN, ttl: LINKS_FOR_S, mine }),
    known.drawing(),
  ]);
  const names = known.names(models);
  const tiles = page.artifacts.map((image) => tile(image, names));
  fill($("recent"), tiles.length ? tiles : h("p", { class: "quiet" }, "No images yet. Write above what the first one should show."));
}

look();
recent().catch((error) => problem(error, $("recent")));
