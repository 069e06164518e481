/* An account for a stranger: made by /v1, then signed in to by the form itself, as the browser's
   keeper of passwords likes it. */

import * as api from "./api.js";
import { $, fill, h } from "./dom.js";
import { faults, mark } from "./fields.js";
import { duration } from "./words.js";

const form = $("register");

function told(text) {
  fill($("problem"), text ? h("p", { class: "notice wrong" }, text) : null);
}

function refused(error) {
  if (error.code === "conflict") return mark(form, { username: [error.message] });
  if (error.code === "rate_limited") {
    return told(`Many accounts were asked for from here. Please try again in ${duration(error.retryAfterS)}.`);
  }
  const left = mark(form, error.fields || {});
  if (left.length) told(left.join(" "));
  else if (!Object.keys(error.fields || {}).length) told(error.message);
}

async function make(event) {
  event.preventDefault();
  told("");
  const wrong = faults(form);
  mark(form, wrong);
  if (Object.keys(wrong).length) return;
  $("make").disabled = true;
  try {
    const { username, password } = form.elements;
    await api.once("/auth/register", { username: username.value, password: password.value });
    form.submit();
  } catch (error) {
    refused(error);
    $("make").disabled = false;
  }
}

form.addEventListener("submit", make);
$("reveal").addEventListener("change", () => { $("password").type = $("reveal").checked ? "text" : "password"; });
