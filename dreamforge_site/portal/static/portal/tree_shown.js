/* The tree on the page. A folder's entries are drawn when it is opened, a part at a time, so that
   ten thousand files are no more work than the few that are looked at. */

import { $, fill, h, symbol } from "./dom.js";
import { bytes, plural } from "./words.js";

const AT_ONCE = 200;
const PAUSE_MS = 250;
let tree = null;
let changed = () => {};
let boxes = new Map(); // path → its checkbox, of what is drawn
let opened = new Map(); // folder → {list, drawn} of what is open
let pending = null;

export function show(shown, whenChanged) {
  tree = shown;
  changed = whenChanged;
  draw();
}

/** The page's controls around the tree. */
export function connect() {
  $("pattern").addEventListener("input", () => later(draw));
  $("select-all").addEventListener("click", () => select(scope(), true));
  $("select-none").addEventListener("click", () => select(scope(), false));
}

/** More was read of this folder. */
export function grew(folder) {
  const open = opened.get(folder);
  if (!pattern() && open && open.drawn <= AT_ONCE) later(draw);
}

/** Shows which boxes are checked now. */
export function refresh() {
  const standing = tree.standing([...boxes.keys()]);
  for (const [path, box] of boxes) {
    box.checked = standing.get(path) === "all";
    box.indeterminate = standing.get(path) === "some";
  }
}

const pattern = () => $("pattern").value.trim();
const scope = () => (pattern() ? tree.matching(pattern()) : [...tree.files.keys()]);

function later(work) {
  clearTimeout(pending);
  pending = setTimeout(work, PAUSE_MS);
}

function select(paths, on) {
  tree.choose(paths, on);
  refresh();
  changed();
}

function draw() {
  const before = [...opened.keys()].filter(Boolean).sort();
  boxes = new Map();
  opened = new Map();
  if (pattern()) drawMatches();
  else {
    fill($("tree"), list(""));
    for (const folder of before) expand(folder);
  }
  refresh();
}

function drawMatches() {
  const found = tree.matching(pattern()).map((path) => tree.files.get(path));
  const place = h("ul", { class: "branch" });
  chunk(place, found, 0, (file) => file.path);
  fill($("tree"), h("p", { class: "quiet small", role: "status" }, `${plural(found.length, "file")} fit`), place);
}

function list(folder) {
  const place = h("ul", { class: "branch" });
  const entries = tree.below(folder);
  opened.set(folder, { list: place, drawn: entries.length });
  chunk(place, entries, 0, (entry) => entry.path.slice(folder ? folder.length + 1 : 0));
  return place;
}

function chunk(place, entries, from, label) {
  place.append(...entries.slice(from, from + AT_ONCE).map((entry) => row(entry, label(entry))));
  const left = entries.length - from - AT_ONCE;
  if (left <= 0) return;
  const more = h("button", { type: "button" }, `Show ${Math.min(left, AT_ONCE)} more of ${left}`);
  const item = h("li", {}, more);
  more.addEventListener("click", () => {
    item.remove();
    chunk(place, entries, from + AT_ONCE, label);
    refresh();
  });
  place.append(item);
}

function row(entry, label) {
  const isFolder = entry.type === "dir";
  const box = h("input", { type: "checkbox" });
  box.addEventListener("change", () => select(tree.under(entry.path), box.checked));
  boxes.set(entry.path, box);
  const size = isFolder ? null : h("span", { class: "quiet small size" }, bytes(entry.size_bytes));
  const here = entry.local ? h("span", { class: "state here" }, "here") : null;
  const named = h("label", { class: "check grow" }, box, symbol(isFolder ? "folder" : "file"), h("span", { class: "path", dir: "auto" }, label));
  return h("li", {}, h("div", { class: "leaf" }, isFolder ? twist(entry.path, label) : h("span", { class: "twist" }), named, here, size));
}

function twist(folder, label) {
  const button = h("button", { type: "button", class: "twist plain", "aria-expanded": "false", "aria-label": `Open ${label}`, "data-folder": folder }, symbol("right"));
  button.addEventListener("click", () => (opened.has(folder) ? collapse(folder) : expand(folder, true)));
  return button;
}

const twistOf = (folder) => $("tree").querySelector(`[data-folder="${CSS.escape(folder)}"]`);

function expand(folder, refreshed = false) {
  const button = twistOf(folder);
  if (!button) return;
  button.setAttribute("aria-expanded", "true");
  button.closest("li").append(list(folder));
  if (refreshed) refresh();
}

function collapse(folder) {
  opened.get(folder).list.remove();
  for (const one of [...opened.keys()]) if (one === folder || one.startsWith(`${folder}/`)) opened.delete(one);
  for (const path of [...boxes.keys()]) if (path.startsWith(`${folder}/`)) boxes.delete(path);
  twistOf(folder).setAttribute("aria-expanded", "false");
}
