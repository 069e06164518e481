// A page whose live parts renew themselves, and nothing more.

import { renew } from "./live.js";

renew({ every: 4000 });
