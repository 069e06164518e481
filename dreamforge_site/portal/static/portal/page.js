/* What every page does besides its own work. */

import { FACTS } from "./session.js";
import { begin } from "./telling.js";

if ("serviceWorker" in navigator) {
  navigator.serviceWorker.register(FACTS.worker, { scope: FACTS.root }).catch(() => {
    // Over plain http, or where the browser forbids it: the pages work without.
  });
}
begin();
