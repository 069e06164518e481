/* Text to the clipboard, also where the page came over plain http and the browser has no API for it. */

import { toast } from "./telling.js";

export async function copy(text) {
  if (await written(text)) toast("Copied.");
  else toast(text);
}

async function written(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return byHand(text);
  }
}

function byHand(text) {
  const before = document.activeElement;
  const place = document.createElement("textarea");
  place.value = text;
  place.className = "hidden";
  document.body.append(place);
  place.select();
  try {
    return document.execCommand("copy");
  } finally {
    place.remove();
    before?.focus?.();
  }
}
