/* The files of a repository as a tree of values: what is chosen, how many bytes, what matches. */

export class Tree {
  constructor() {
    this.files = new Map(); // path → {path, size_bytes, local}
    this.folders = new Map([["", []]]); // path → entries directly below it
    this.chosen = new Set();
  }

  /** Takes a page of what lies directly below a folder; the folders among it come back. */
  add(folder, entries) {
    const below = this.folders.get(folder) || [];
    this.folders.set(folder, below);
    for (const entry of entries) {
      below.push(entry);
      if (entry.type === "dir") this.folders.set(entry.path, this.folders.get(entry.path) || []);
      else this.files.set(entry.path, entry);
    }
    return entries.filter((entry) => entry.type === "dir").map((entry) => entry.path);
  }

  /** Folders first, each by name. */
  below(folder) {
    const rank = (entry) => (entry.type === "dir" ? 0 : 1);
    return [...(this.folders.get(folder) || [])].sort((a, b) => rank(a) - rank(b) || (a.path < b.path ? -1 : 1));
  }

  /** Every file at or below a path; all of them below "". */
  under(path) {
    if (this.files.has(path)) return [path];
    const start = path ? `${path}/` : "";
    return [...this.files.keys()].filter((one) => one.startsWith(start));
  }

  choose(paths, on) {
    for (const path of paths) {
      if (on) this.chosen.add(path);
      else this.chosen.delete(path);
    }
  }

  /** "all", "some" or "none" of the files at or below each path, in one go over the files. */
  standing(paths) {
    const counts = new Map(paths.map((path) => [path, [0, 0]]));
    for (const file of this.files.keys()) {
      for (const place of [file, ...parents(file)]) {
        const count = counts.get(place);
        if (!count) continue;
        count[0] += 1;
        if (this.chosen.has(file)) count[1] += 1;
      }
    }
    return new Map([...counts].map(([path, [all, on]]) => [path, on === 0 ? "none" : on === all ? "all" : "some"]));
  }

  total() {
    const sum = { files: 0, bytes: 0, local: 0, unknown: 0 };
    for (const path of this.chosen) {
      const { size_bytes: size, local } = this.files.get(path);
      sum.files += 1;
      if (size === null) sum.unknown += 1;
      sum.bytes += size || 0;
      if (local) sum.local += size || 0;
    }
    return sum;
  }

  /** The chosen files in the fewest words: a folder that is chosen whole stands for its files. */
  selection() {
    const found = [];
    const gather = (folder) => {
      const entries = this.folders.get(folder) || [];
      const standing = this.standing(entries.map((entry) => entry.path));
      for (const entry of entries) {
        const how = standing.get(entry.path);
        if (how === "all") found.push({ path: entry.path, type: entry.type });
        else if (how === "some") gather(entry.path);
      }
    };
    gather("");
    return found;
  }

  matching(pattern) {
    const fits = matcher(pattern);
    return [...this.files.keys()].filter(fits).sort();
  }
}

/** Words without `*` or `?` may stand anywhere; a pattern fits the whole path or the last name. */
export function matcher(pattern) {
  const wanted = pattern.trim().toLowerCase();
  if (!/[*?]/.test(wanted)) return (path) => path.toLowerCase().includes(wanted);
  return (path) => {
    const lower = path.toLowerCase();
    return fits(wanted, lower) || fits(wanted, lower.slice(lower.lastIndexOf("/") + 1));
  };
}

/* By hand, in time that grows with both lengths only: a regular expression made of a pattern that
   somebody typed can take for ever. */
function fits(pattern, text) {
  let p = 0, t = 0, star = -1, mark = 0;
  while (t < text.length) {
    if (pattern[p] === "*") { star = p; mark = t; p += 1; }
    else if (p < pattern.length && (pattern[p] === "?" || pattern[p] === text[t])) { p += 1; t += 1; }
    else if (star >= 0) { p = star + 1; mark += 1; t = mark; }
    else return false;
  }
  while (pattern[p] === "*") p += 1;
  return p === pattern.length;
}

function* parents(path) {
  for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) yield path.slice(0, at);
}
