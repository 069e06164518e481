// Draws folders and files with check boxes. Only opened folders have rows, and of a long one the
// first few hundred: ten thousand files cost no more than what is seen.

import { bytes } from "./api.js";

const ROWS_AT_ONCE = 200;

function made(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

export class Tree {
  constructor(place, files, { onChange, onLook, mayChoose, open = new Set([""]) }) {
    this.place = place;
    this.files = files;
    this.onChange = onChange;
    this.onLook = onLook;
    this.mayChoose = mayChoose;
    this.open = open;
    this.shown = new Map();
    place.addEventListener("change", (event) => this.changed(event));
    place.addEventListener("click", (event) => this.clicked(event));
  }

  draw() {
    const focused = document.activeElement?.dataset?.key;
    const list = this.list(this.files.root);
    list.classList.add("df-tree-top");
    this.place.replaceChildren(list);
    if (focused) this.place.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  }

  list(folder) {
    const list = made("ul", "df-tree");
    const children = folder.children;
    const most = this.shown.get(folder.path) ?? ROWS_AT_ONCE;
    for (const child of children.slice(0, most)) {
      list.append("files" in child ? this.folderRow(child) : this.fileRow(child));
    }
    if (children.length > most) {
      const row = made("li", "df-tree-more");
      const more = made("button", "df-link", `Show ${Math.min(ROWS_AT_ONCE, children.length - most)} more of ${children.length}`);
      more.type = "button";
      more.dataset.more = folder.path;
      more.dataset.key = `more:${folder.path}`;
      row.append(more);
      list.append(row);
    }
    return list;
  }

  box(path, kind, name, isChosen, isPart) {
    const box = made("input", "df-tree-box");
    box.type = "checkbox";
    box.checked = isChosen;
    box.indeterminate = isPart;
    box.dataset[kind] = path;
    box.dataset.key = `${kind}:${path}`;
    box.setAttribute("aria-label", `Select ${name}`);
    return box;
  }

  folderRow(folder) {
    const row = made("li");
    const line = made("div", "df-tree-line");
    const isOpen = this.open.has(folder.path);
    if (this.mayChoose) {
      const isWhole = folder.chosen === folder.count;
      line.append(this.box(folder.path, "folder", `everything in ${folder.path}`, isWhole, folder.chosen > 0 && !isWhole));
    }
    const name = made("button", "df-tree-name df-tree-folder");
    name.type = "button";
    name.dataset.toggle = folder.path;
    name.dataset.key = `toggle:${folder.path}`;
    name.setAttribute("aria-expanded", String(isOpen));
    name.append(made("span", "df-tree-mark", isOpen ? "▾" : "▸"), made("bdi", "", folder.name));
    line.append(name);
    if (folder.here === folder.count) line.append(made("span", "df-tree-here", "here"));
    line.append(made("span", "df-tree-size", `${folder.count} · ${bytes(folder.size)}`));
    row.append(line);
    if (isOpen) row.append(this.list(folder));
    return row;
  }

  fileRow(file) {
    const row = made("li");
    const line = made("div", "df-tree-line");
    if (this.mayChoose) line.append(this.box(file.path, "file", file.path, file.isChosen, false));
    const name = made("button", "df-tree-name");
    name.type = "button";
    name.dataset.look = file.path;
    name.dataset.key = `look:${file.path}`;
    name.append(made("bdi", "", file.name));
    line.append(name);
    if (file.local) line.append(made("span", "df-tree-here", "here"));
    line.append(made("span", "df-tree-size", bytes(file.size)));
    row.append(line);
    return row;
  }

  folderAt(path) {
    let folder = this.files.root;
    for (const step of path ? path.split("/") : []) folder = folder.folders.get(step);
    return folder;
  }

  fileAt(path) {
    const at = path.lastIndexOf("/");
    const folder = this.folderAt(at < 0 ? "" : path.slice(0, at));
    return folder.files.find((file) => file.path === path);
  }

  changed(event) {
    const { folder, file } = event.target.dataset;
    if (folder !== undefined) this.files.chooseBelow(this.folderAt(folder), event.target.checked);
    else if (file !== undefined) this.files.choose(this.fileAt(file), event.target.checked);
    else return;
    this.draw();
    this.onChange();
  }

  clicked(event) {
    const button = event.target.closest("button");
    if (!button) return;
    const { toggle, more, look } = button.dataset;
    if (toggle !== undefined) {
      if (!this.open.delete(toggle)) this.open.add(toggle);
      this.draw();
    } else if (more !== undefined) {
      this.shown.set(more, (this.shown.get(more) ?? ROWS_AT_ONCE) + ROWS_AT_ONCE);
      this.draw();
    } else if (look !== undefined) {
      this.onLook(this.fileAt(look));
    }
  }
}
