/* Notifications, and installing the app. */

import { $ } from "./dom.js";

const WORDS = {
  granted: "You are told when a download or your images are done.",
  denied: "The browser forbids notifications here; its settings for this site can allow them.",
  default: "You are not told when work ends.",
};
let offer = null; // the browser's own question, kept for a click

function show() {
  const there = "Notification" in window;
  $("notify-state").textContent = there ? WORDS[Notification.permission] : "This browser has no notifications.";
  $("notify").hidden = !there || Notification.permission !== "default";
}

$("notify").addEventListener("click", async () => {
  await Notification.requestPermission();
  show();
});

addEventListener("beforeinstallprompt", (event) => {
  event.preventDefault();
  offer = event;
  $("install-app").hidden = false;
});

$("install-app").addEventListener("click", async () => {
  await offer?.prompt();
  $("install-app").hidden = true;
});

show();
