/* What every page does besides its own work. */

import { FACTS } from "./session.js";
import { away } from "./telling.js";
import { begin } from "./watching.js";

if ("serviceWorker" in navigator) {
  navigator.serviceWorker.register(FACTS.worker, { scope: FACTS.root }).catch(() => {
    // Over plain http, or where the browser forbids it: the pages work without.
  });
}
addEventListener("offline", () => away(true, "network"));
addEventListener("online", () => away(false, "network"));
begin();
