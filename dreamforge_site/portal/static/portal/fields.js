/* A form drawn from a model's JSON Schema: types, bounds, choices and defaults. */

import { h } from "./dom.js";

const LONG = 200; // letters from which a text gets several lines
const FIRST = ["prompt", "negative_prompt", "width", "height", "count", "seed"];

/** The elements of a form, by the schema; `values` stand before the schema's defaults. */
export function draw(schema, values = {}) {
  const names = order(schema);
  const shown = (some) => some.map((name) => field(name, schema, values[name]));
  const first = names.filter((name) => FIRST.includes(name));
  const rest = names.filter((name) => !FIRST.includes(name));
  const more = h("details", {}, h("summary", {}, "More settings"), h("div", { class: "pair" }, shown(rest)));
  const texts = first.filter((name) => isLong(schema.properties[name]));
  const small = first.filter((name) => !texts.includes(name));
  return [...shown(texts), h("div", { class: "pair" }, shown(small)), rest.length ? more : null];
}

/** What the form says, as a request has it; what was left empty is not said. */
export function read(form, schema) {
  const said = {};
  for (const name of order(schema)) {
    const input = form.elements[name];
    const value = input ? valueOf(input, schema.properties[name]) : undefined;
    if (value !== undefined) said[name] = value;
  }
  return said;
}

/** Puts values into the fields that have them. */
export function write(form, values) {
  for (const [name, value] of Object.entries(values)) {
    const input = form.elements[name];
    if (!input || value === null || value === undefined) continue;
    if (input.type === "checkbox") input.checked = Boolean(value);
    else input.value = String(value);
  }
}

/** The schema's own values. */
export function defaults(schema) {
  const known = Object.entries(schema.properties || {});
  return Object.fromEntries(known.filter(([, rule]) => "default" in rule).map(([name, rule]) => [name, rule.default]));
}

/** Marks the fields that were refused and says why; what belongs to no field comes back. */
export function mark(form, problems) {
  for (const old of form.querySelectorAll(".why")) old.remove();
  for (const input of form.querySelectorAll("[aria-invalid]")) {
    input.removeAttribute("aria-invalid");
    input.removeAttribute("aria-describedby");
  }
  const left = [];
  for (const [name, reasons] of Object.entries(problems)) {
    const input = form.elements[name];
    if (!input) left.push(`${name}: ${[reasons].flat().join(" ")}`);
    else refuse(input, [reasons].flat().join(" "));
  }
  form.querySelector("[aria-invalid]")?.focus();
  return left;
}

/** What the browser itself finds wrong, by field. */
export function faults(form) {
  const wrong = [...form.elements].filter((input) => input.name && !input.checkValidity());
  return Object.fromEntries(wrong.map((input) => [input.name, [input.validationMessage]]));
}

function refuse(input, reason) {
  const id = `why-${input.name}`;
  input.setAttribute("aria-invalid", "true");
  input.setAttribute("aria-describedby", id);
  const opened = input.closest("details");
  if (opened) opened.open = true;
  input.closest("label").after(h("p", { class: "why wrong", id }, reason)); // in it, it would be part of the name
}

function order(schema) {
  const known = Object.keys(schema.properties || {});
  const told = (schema["x-order"] || []).filter((name) => known.includes(name));
  return [...told, ...known.filter((name) => !told.includes(name))];
}

const isLong = (rule) => rule.type === "string" && !rule.enum && (rule.maxLength || 0) > LONG;

function field(name, schema, given) {
  const rule = schema.properties[name];
  const value = given ?? rule.default ?? "";
  const required = (schema.required || []).includes(name);
  const title = rule.title || name;
  if (rule.type === "boolean") {
    const box = h("input", { type: "checkbox", name });
    box.checked = value === true || value === "true";
    return slot(h("label", { class: "check", title: rule.description }, box, title));
  }
  const made = input(name, rule, value, required);
  return slot(h("label", { class: "field", title: rule.description }, title, made));
}

/** A field and, below it, why it was refused. */
const slot = (label) => h("div", { class: "slot" }, label);

function input(name, rule, value, required) {
  const common = { name, required, "data-type": rule.type };
  if (rule.enum) return choice(common, rule, value);
  if (rule.type === "integer" || rule.type === "number") return number(common, rule, value);
  const limits = { minlength: rule.minLength, maxlength: rule.maxLength, dir: "auto" };
  const made = isLong(rule)
    ? h("textarea", { ...common, ...limits, rows: required ? 4 : 2 })
    : h("input", { ...common, ...limits });
  made.value = String(value);
  return made;
}

function choice(common, rule, value) {
  const made = h("select", common, rule.enum.map((one) => h("option", { value: one }, String(one))));
  made.value = String(value);
  return made;
}

function number(common, rule, value) {
  const step = rule.multipleOf || (rule.type === "integer" ? 1 : "any");
  const placeholder = "default" in rule ? null : "fresh each time";
  const made = h("input", { ...common, type: "number", min: rule.minimum, max: rule.maximum, step, placeholder,
    inputmode: rule.type === "integer" ? "numeric" : "decimal" });
  made.value = String(value);
  return made;
}

function valueOf(input, rule) {
  if (rule.type === "boolean") return input.checked;
  const text = input.value;
  if (rule.type === "integer" || rule.type === "number") return text.trim() === "" ? undefined : Number(text);
  return text === "" && !("default" in rule) ? undefined : text;
}
