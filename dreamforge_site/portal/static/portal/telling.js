/* What went wrong, short messages, and word that the service is away. */

import { Unreachable } from "./api.js";
import { $, fill, h } from "./dom.js";

const TOAST_MS = 8000;
const missing = new Set(); // who finds the service away
let told = null; // what `met` has put on the page

/** Shows an error where the page has its place for it; null clears it. */
export function problem(error, place = $("problem")) {
  if (!error) return fill(place);
  const more = error.reference ? h("span", { class: "quiet small" }, ` Reference ${error.reference}`) : null;
  fill(place, h("p", { class: "notice wrong" }, error.message, more));
}

/** Says at the top of the page that nobody answers, for as long as one of those who ask finds it so:
    `who` takes back its own word only. */
export function away(isAway, who) {
  if (isAway) missing.add(who);
  else missing.delete(who);
  say();
}

function say() {
  if (Boolean($("away").childElementCount) === missing.size > 0) return;
  fill($("away"), missing.size
    ? h("p", { class: "notice wrong" }, "The service cannot be reached. What it works on goes on, and this page tries again by itself.")
    : null);
}

/** What a page met that looks by itself now and then; null: all is well. An answer, whatever it
    says, comes from a service that is there. */
export function met(error) {
  if (error instanceof Unreachable) return away(true, "looks");
  missing.clear();
  say();
  if (error) problem(error);
  else told?.remove(); // what a button was refused stays
  told = error && $("problem").firstElementChild;
}

export function toast(text, address) {
  const shown = h("div", { class: "toast" }, address ? h("a", { href: address, dir: "auto" }, text) : h("span", { dir: "auto" }, text));
  $("toasts").append(shown);
  fade(shown);
}

/** Its time begins when somebody looks at the page. */
function fade(shown) {
  if (document.hidden) document.addEventListener("visibilitychange", () => fade(shown), { once: true });
  else setTimeout(() => shown.remove(), TOAST_MS);
}
