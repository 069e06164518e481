/* Elements, made of text only: nothing that came from elsewhere is ever read as markup. */

const SVG = "http://www.w3.org/2000/svg";

export const $ = (id) => document.getElementById(id);

/** An element. Attributes: `on…` are listeners, booleans switch, null is left out. */
export function h(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) put(made, name, value);
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return made;
}

function put(element, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
  else element.setAttribute(name, value === true ? "" : String(value));
}

export function symbol(name) {
  const drawn = document.createElementNS(SVG, "svg");
  drawn.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#symbol-${name}`);
  drawn.append(use);
  return drawn;
}

export function fill(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
}

/** A list of names and values; what has no value is left out. */
export function facts(pairs) {
  const rows = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return h("dl", { class: "facts" }, rows.map(([name, value]) => [
    h("dt", {}, name),
    h("dd", { dir: "auto" }, value instanceof Node ? value : String(value)),
  ]));
}

/** Opens a dialog that closes by its button, by Escape and by a click beside it. */
export function open(dialog) {
  if (dialog.open) return;
  dialog.showModal();
  dialog.onclick = (event) => { if (event.target === dialog) dialog.close(); };
}
