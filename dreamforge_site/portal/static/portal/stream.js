/* The events of one job, for as long as it takes. After a break, of the network or of the service,
   it goes on with the event after the last one that was heard. */

import * as api from "./api.js";
import { away, problem } from "./telling.js";

const EVENTS = ["progress", "log", "artifact", "end"];
const SAY_AFTER_MS = 1500; // a short break is nobody's business
const WAIT_MS = 1000;
const LONGEST_WAIT_MS = 10_000;

export class Stream {
  /** `hear`: what to do with each sort of event; `back`: what to do once it flows again. */
  constructor(id, path, hear, back = () => {}) {
    this.id = id;
    this.path = path;
    this.hear = hear;
    this.back = back;
    this.last = 0;
    this.tries = 0;
    this.open();
  }

  close() {
    this.closed = true;
    this.source.close();
    this.flows();
  }

  open() {
    const after = this.last ? `?since_id=${this.last}` : "";
    this.source = new EventSource(`/v1${this.path}${after}`);
    this.source.addEventListener("open", () => { if (this.flows()) this.back(); });
    for (const name of EVENTS) this.source.addEventListener(name, (event) => this.heard(name, event));
    // The service has an event of this name too; the browser's own carries nothing.
    this.source.addEventListener("error", (event) => (event.data === undefined ? this.broke() : this.heard("error", event)));
  }

  heard(name, event) {
    this.last = Number(event.lastEventId) || this.last;
    if (name === "end") this.close();
    this.hear[name]?.(event);
  }

  /** Whether it had been broken. */
  flows() {
    const was = Boolean(this.saying);
    clearTimeout(this.saying);
    this.saying = null;
    this.tries = 0;
    if (was) away(false, this);
    return was;
  }

  broke() {
    if (this.closed) return;
    this.saying ||= setTimeout(() => away(true, this), SAY_AFTER_MS);
    // Where no answer came the browser connects again by itself; after one that is no stream (a
    // proxy's page, a service that only starts) it gives up.
    if (this.source.readyState === EventSource.CLOSED) this.later();
  }

  later() {
    this.tries += 1;
    setTimeout(() => this.reopen(), Math.min(WAIT_MS * this.tries, LONGEST_WAIT_MS));
  }

  async reopen() {
    if (this.closed) return;
    try {
      await api.get(`/jobs/${this.id}`);
      if (!this.closed) this.open();
    } catch (error) {
      if (error.status && error.status < 500 && error.status !== 429) {
        this.close();
        problem(error);
      } else this.later();
    }
  }
}
