/* The models that draw, and the names of all. */

import * as api from "./api.js";

/** Those that take a prompt, newest first. */
export async function drawing() {
  const found = [];
  for await (const model of api.entries("/models", "models", { limit: 200 })) {
    if (model.parameters_schema?.properties?.prompt) found.push(model);
  }
  return found;
}

export const title = (model) => `${model.name} · ${model.version}`;

export const names = (models) => new Map(models.map((model) => [model.id, title(model)]));
