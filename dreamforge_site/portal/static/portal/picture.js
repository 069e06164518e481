/* One image, large, with what made it and what can be done with it. */

import * as api from "./api.js";
import { $, facts, fill, h, open } from "./dom.js";
import { app, mayActOn } from "./session.js";
import { problem, toast } from "./telling.js";
import { bytes, moment, short } from "./words.js";

const REUSED = "portal-reuse";
export const LINKS_FOR_S = 21600;

/** A tile of a list; `onRemoved` is called when the image was removed. */
export function tile(image, names, onRemoved = () => {}) {
  const alt = short(image.prompt || `Image ${image.item_index + 1}`, 120);
  const drawn = h("img", { src: image.thumbnail_url || image.url, alt, width: image.width, height: image.height, loading: "lazy", decoding: "async" });
  if (image.thumbnail_url) drawn.addEventListener("error", () => { drawn.src = image.url; }, { once: true });
  const button = h("button", { type: "button", class: "tile" }, drawn);
  button.addEventListener("click", () => show(image, names, () => { button.remove(); onRemoved(); }));
  return button;
}

/** The settings that another page left for the form, once. */
export function reused() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(REUSED) || "null");
    sessionStorage.removeItem(REUSED);
    return kept && typeof kept === "object" ? kept : null;
  } catch {
    return null;
  }
}

export function reuse(request) {
  sessionStorage.setItem(REUSED, JSON.stringify(request));
  location.assign(app("create"));
}

function show(image, names, onRemoved) {
  const dialog = $("picture");
  const asked = image.request || {};
  const wrong = h("div", { role: "alert" });
  fill($("picture-body"),
    h("img", { class: "whole", src: image.url, alt: short(image.prompt || "The image", 120), width: image.width, height: image.height }),
    prompt(image.prompt),
    actions(image, wrong, dialog, onRemoved),
    wrong,
    facts([
      ["Negative prompt", asked.negative_prompt],
      ["Size", `${image.width} × ${image.height}`],
      ["Seed", image.seed],
      ["Steps", asked.steps],
      ["Guidance", asked.guidance],
      ["Scheduler", asked.scheduler],
      ["Model", image.model_id ? names.get(image.model_id) || image.model_id : null],
      ["Drawn", moment(image.created_at)],
      ["File", `${image.format.toUpperCase()}, ${bytes(image.size_bytes)}`],
      ["SHA-256", image.sha256],
    ]));
  $("picture-close").onclick = () => dialog.close();
  open(dialog);
}

/** A long one scrolls, by keyboard too. */
const prompt = (text) => (text ? h("div", { class: "prompt", role: "group", "aria-label": "Prompt", tabindex: 0, dir: "auto" }, text) : null);

function actions(image, wrong, dialog, onRemoved) {
  const name = `${image.job_id}_${image.item_index}.${image.format}`;
  return h("div", { class: "actions" },
    h("button", { type: "button", class: "main", onclick: () => reuse(image.request) }, "Use these settings again"),
    h("a", { class: "button", href: image.url, download: name }, "Download"),
    mayActOn(image.owner_id) ? h("button", { type: "button", onclick: (event) => ask(event.currentTarget, () => drop(image, wrong, dialog, onRemoved)) }, "Delete") : null);
}

/** A second press within a few seconds means it. */
function ask(button, go) {
  if (button.dataset.sure) return go();
  const before = button.textContent;
  button.dataset.sure = "yes";
  button.classList.add("danger");
  button.textContent = "Delete for good?";
  setTimeout(() => { delete button.dataset.sure; button.classList.remove("danger"); button.textContent = before; }, 4000);
}

async function drop(image, wrong, dialog, onRemoved) {
  try {
    await api.remove(`/artifacts/${image.id}`);
  } catch (error) {
    if (error.status !== 404) return problem(error, wrong);
  }
  dialog.close();
  toast("The image is removed.");
  onRemoved();
}
