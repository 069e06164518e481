// The files of a repository as folders, and which of them are chosen: values only, no page.

export class Folder {
  constructor(name, path, parent) {
    this.name = name;
    this.path = path;
    this.parent = parent;
    this.folders = new Map();
    this.files = [];
    this.count = 0;
    this.size = 0;
    this.here = 0;
    this.chosen = 0;
  }

  get children() {
    const byName = (a, b) => a.name.localeCompare(b.name, "en");
    return [...[...this.folders.values()].sort(byName), ...this.files.sort(byName)];
  }
}

// `entries`: files with path, size_bytes, local and barred. The tree keeps its sums as it changes.
export class Files {
  constructor() {
    this.root = new Folder("", "", null);
    this.all = [];
  }

  add(entry) {
    const steps = entry.path.split("/");
    const name = steps.pop();
    let folder = this.root;
    for (const step of steps) {
      if (!folder.folders.has(step)) {
        const path = folder.path ? `${folder.path}/${step}` : step;
        folder.folders.set(step, new Folder(step, path, folder));
      }
      folder = folder.folders.get(step);
    }
    const file = {
      name,
      path: entry.path,
      size: entry.size_bytes,
      local: Boolean(entry.local),
      kind: entry.kind ?? "",
      folder,
      isChosen: false,
    };
    folder.files.push(file);
    this.all.push(file);
    for (let above = folder; above; above = above.parent) {
      above.count += 1;
      above.size += file.size ?? 0;
      above.here += file.local ? 1 : 0;
    }
    return file;
  }

  choose(file, isChosen) {
    if (file.isChosen === isChosen) return;
    file.isChosen = isChosen;
    for (let above = file.folder; above; above = above.parent) above.chosen += isChosen ? 1 : -1;
  }

  chooseBelow(folder, isChosen) {
    for (const file of folder.files) this.choose(file, isChosen);
    for (const below of folder.folders.values()) this.chooseBelow(below, isChosen);
  }

  // `*` and `?` as in a shell, across slashes; how many fitted.
  chooseByPattern(pattern) {
    const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&");
    const fits = new RegExp(`^${escaped.replaceAll("*", ".*").replaceAll("?", ".")}$`, "i");
    const found = this.all.filter((file) => fits.test(file.path) || fits.test(file.name));
    for (const file of found) this.choose(file, true);
    return found.length;
  }

  get totals() {
    const sums = { count: 0, size: 0, here: 0 };
    for (const file of this.all) {
      if (!file.isChosen) continue;
      sums.count += 1;
      sums.size += file.size ?? 0;
      if (file.local) sums.here += file.size ?? 0;
    }
    return sums;
  }

  // The shortest way to say what is chosen: whole folders by their name.
  get selection() {
    if (this.root.count && this.root.chosen === this.root.count) return [];
    const said = [];
    const say = (folder) => {
      for (const below of folder.folders.values()) {
        if (below.chosen === below.count) said.push({ path: below.path, type: "dir" });
        else if (below.chosen) say(below);
      }
      for (const file of folder.files) if (file.isChosen) said.push({ path: file.path, type: "file" });
    };
    say(this.root);
    return said;
  }
}
