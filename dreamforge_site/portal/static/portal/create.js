/* The playground: a form drawn from the chosen model's schema, and the work it starts. */

import * as api from "./api.js";
import { $, fill, h } from "./dom.js";
import * as fields from "./fields.js";
import * as known from "./models_known.js";
import { reused } from "./picture.js";
import { FACTS, mayStart } from "./session.js";
import { problem } from "./telling.js";
import * as work from "./work.js";

const form = $("form");
let models = [];
let presets = [];
let schemaBefore = {}; // of the model whose fields are drawn

const chosen = () => models.find((model) => model.id === $("model").value);
const schema = () => chosen()?.parameters_schema || FACTS.without_model;
const preset = () => presets.find((one) => one.name === $("preset").value);

function drawFields(values) {
  fill($("fields"), fields.draw(schema(), values));
}

/** Another model keeps what was typed where it takes it. */
function changeModel() {
  const before = fields.defaults(schemaBefore);
  const typed = Object.entries(fields.read(form, schemaBefore)).filter(([name, value]) => value !== before[name]);
  schemaBefore = schema();
  drawFields(Object.fromEntries(typed));
}
function changePreset() {
  const one = preset();
  $("preset-about").textContent = one ? one.label : "";
  fields.write(form, one ? one.parameters : fields.defaults(schema()));
}

function reset() {
  $("preset").value = "";
  changePreset();
  fields.mark(form, {});
}

function request() {
  const said = { type: "generate", ...fields.read(form, schema()) };
  if (chosen()) said.model_id = chosen().id;
  if ($("preset").value) said.preset = $("preset").value;
  return said;
}

async function start(event) {
  event.preventDefault();
  problem(null);
  const wrong = fields.faults(form);
  fields.mark(form, wrong);
  if (Object.keys(wrong).length) return;
  $("draw").disabled = true;
  try {
    const asked = request();
    const { job } = await api.post("/jobs", asked);
    work.follow(job.id, { asked, count: asked.count || 1, names: known.names(models) });
  } catch (error) {
    const left = fields.mark(form, error.fields || {});
    if (left.length || !Object.keys(error.fields || {}).length) {
      problem(left.length ? { message: left.join(" ") } : error);
    }
  } finally {
    $("draw").disabled = false;
  }
}

function choose(again) {
  const wanted = again?.model_id || new URLSearchParams(location.hash.slice(1)).get("model");
  fill($("model"), models.map((model) => h("option", { value: model.id }, known.title(model))));
  if (!models.length) fill($("model"), h("option", { value: "" }, "No model"));
  if (models.some((model) => model.id === wanted)) $("model").value = wanted;
  fill($("preset"), h("option", { value: "" }, "As the device needs"), presets.map((one) => h("option", { value: one.name }, one.name)));
}

async function begin() {
  const job = new URLSearchParams(location.hash.slice(1)).get("job");
  const again = reused();
  [models, { presets }] = await Promise.all([known.drawing(), api.get("/presets")]);
  choose(again);
  if (job) work.follow(job, { asked: null, count: 0, names: known.names(models) });
  if (!schema()) {
    return problem({ message: "No model is ready to draw with. Add one first, or ask an operator to enable one." });
  }
  schemaBefore = schema();
  drawFields(again || {});
  if (!mayStart("generate")) return problem({ message: "This account may not start images." });
  form.addEventListener("submit", start);
  $("model").addEventListener("change", changeModel);
  $("preset").addEventListener("change", changePreset);
  $("reset").addEventListener("click", reset);
  $("draw").disabled = false;
}

begin().catch((error) => problem(error));
