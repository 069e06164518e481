/* One job of images, followed while it draws: progress by item, and each image as it is done. */

import * as api from "./api.js";
import { $, fill, h } from "./dom.js";
import { LINKS_FOR_S, tile } from "./picture.js";
import { mayActOn } from "./session.js";
import { Stream } from "./stream.js";
import { met, problem } from "./telling.js";
import { forget, watch } from "./watching.js";
import { OVER, STATES, plural, short } from "./words.js";

let following = null; // the job that the page shows now

/** Show this job; one that was shown before goes on without being watched here. */
export async function follow(id, { asked, count, names }) {
  following?.stop();
  const one = new Work(id, names);
  following = one;
  history.replaceState(null, "", `#job=${id}`);
  $("work").hidden = false;
  $("cancel").hidden = true;
  $("cancel").onclick = () => one.cancel();
  problem(null);
  await one.begin(asked, count);
}

class Work {
  constructor(id, names) {
    this.id = id;
    this.names = names;
    this.items = new Map();
    this.seen = new Set();
  }

  async begin(asked, count) {
    try {
      const job = await api.get(`/jobs/${this.id}`);
      this.asked = asked || job.params;
      this.owner_id = job.owner_id;
      $("cancel").hidden = OVER.includes(job.status) || !mayActOn(job.owner_id);
      this.lay(count || job.summary.count || 1);
      this.say(job);
      $("overall").value = job.progress;
      await this.images();
      if (OVER.includes(job.status)) this.over(job);
      else this.listen();
    } catch (error) {
      problem(error, $("items"));
    }
  }

  lay(count) {
    const places = Array.from({ length: count }, (_, index) => {
      const bar = h("progress", { max: 1, value: 0, "aria-label": `Image ${index + 1}` });
      const place = h("div", { class: "tile waiting" }, bar);
      this.items.set(index, { place, bar });
      return place;
    });
    fill($("items"), places);
    const { width, height } = this.asked;
    if (width && height) for (const place of places) place.style.aspectRatio = `${width} / ${height}`;
  }

  listen() {
    watch(this.id, "generate", short(this.asked.prompt || "", 80));
    const look = () => this.images().catch((error) => met(error));
    const hear = {
      progress: (event) => this.moved(JSON.parse(event.data)),
      artifact: look,
      log: (event) => this.heard(JSON.parse(event.data)),
      end: () => this.ended(),
    };
    this.stream = new Stream(this.id, `/jobs/${this.id}/progress/stream`, hear, look);
  }

  stop() {
    this.stopped = true;
    this.stream?.close();
  }

  moved(told) {
    const item = this.items.get(told.item_index);
    if (item && typeof told.progress === "number") item.bar.value = told.progress;
    if (typeof told.overall === "number") $("overall").value = told.overall;
    this.status("Drawing");
  }

  heard(told) {
    if (told.code === "job.start") this.status("Drawing");
    if (told.code === "retry.scheduled") this.status("Interrupted; it goes on in a moment");
  }

  /** Puts each finished image in its place, once. */
  async images() {
    const { artifacts } = await api.get(`/jobs/${this.id}/artifacts`, { ttl: LINKS_FOR_S });
    if (this.stopped) return;
    for (const image of artifacts.filter((one) => !this.seen.has(one.id))) this.put(image);
  }

  put(image) {
    this.seen.add(image.id);
    const request = { ...kept(this.asked), type: "generate", seed: image.seed, count: 1 };
    const whole = { ...image, job_id: this.id, prompt: this.asked.prompt, model_id: this.asked.model_id, owner_id: this.owner_id, request };
    const item = this.items.get(image.item_index);
    const made = tile(whole, this.names);
    if (item) item.place.replaceWith(made);
    else $("items").append(made);
    this.items.set(image.item_index, { place: made, bar: document.createElement("progress") });
  }

  async ended() {
    try {
      await this.images();
      this.over(await api.get(`/jobs/${this.id}`));
    } catch (error) {
      problem(error);
    }
  }

  over(job) {
    if (this.stopped) return;
    $("cancel").hidden = true;
    $("overall").value = job.status === "succeeded" ? 1 : job.progress;
    for (const { place } of this.items.values()) if (place.classList.contains("waiting")) place.remove();
    if (!document.hidden) forget(this.id);
    this.say(job);
  }

  say(job) {
    if (job.status === "queued" && job.place) {
      const eta = job.place.eta_s === null ? "" : `, about ${Math.round(job.place.eta_s)} s`;
      return this.status(`Waiting: place ${job.place.position}${eta}`);
    }
    const reason = job.status === "failed" ? ` ${job.error_message}` : "";
    const made = OVER.includes(job.status) ? ` ${plural(this.seen.size, "image")}.` : "";
    this.status(`${STATES[job.status]}.${made}${reason}`);
  }

  status(text) {
    if ($("status").textContent !== text) $("status").textContent = text;
  }

  async cancel() {
    $("cancel").hidden = true;
    try {
      await api.post(`/jobs/${this.id}/cancel`);
      this.status("Stopping; what is finished stays");
    } catch (error) {
      if (error.code !== "invalid_state") problem(error);
    }
  }
}

const REPEATED = ["prompt", "negative_prompt", "width", "height", "steps", "guidance", "scheduler", "model_id", "format"];

const kept = (asked) => Object.fromEntries(REPEATED.filter((name) => name in asked).map((name) => [name, asked[name]]));
