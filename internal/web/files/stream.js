// The stream of devices, and whether there is one. A browser's own retries hide why they fail, and a half-open line
// looks like a quiet one, so the line is opened anew here, and the server is asked how it is beside it.

const SLOW = 3000; // ms without a stream until the page says so
const ASK = 10000; // ms between two looks at the server's health
const LOOK = 300; // ms after which it is asked out of turn, once for all that changes meanwhile
const HIDDEN = 60000; // ms that a page nobody sees keeps its stream

export class Stream {
  #source = null;
  #tries = 0;
  #retry = 0;
  #lost = 0;
  #ask = 0;
  #hide = 0;
  #on = false;

  // tell has device(d), deleted({namespace, name}), begin(), ready(), link("live" | "opening" | "lost"), health(h),
  // stranger() for when there is no session.
  constructor(tell) {
    this.tell = tell;
    document.addEventListener("visibilitychange", () => this.#visible());
    addEventListener("online", () => this.#on && this.#open());
  }

  start() {
    this.#on = true;
    this.#tries = 0;
    this.#open();
    this.#health();
  }

  stop() {
    this.#on = false;
    this.#close();
    for (const t of [this.#retry, this.#lost, this.#ask, this.#hide]) clearTimeout(t);
    this.#lost = this.#hide = 0;
  }

  #visible() {
    if (!this.#on) return;
    clearTimeout(this.#hide);
    if (document.hidden) {
      clearTimeout(this.#ask);
      this.#hide = setTimeout(() => this.#close(), HIDDEN);
      return;
    }
    if (!this.#source) this.#open();
    this.#health();
  }

  #close() {
    this.#source?.close();
    this.#source = null;
  }

  #open() {
    this.#close();
    clearTimeout(this.#retry);
    this.#doubt();
    const source = (this.#source = new EventSource("/v1/watch"));
    const mine = (f) => (e) => source === this.#source && f(e);
    source.addEventListener("open", mine(() => this.tell.begin()));
    source.addEventListener("device", mine((e) => this.tell.device(JSON.parse(e.data))));
    source.addEventListener("deleted", mine((e) => this.tell.deleted(JSON.parse(e.data))));
    source.addEventListener("ready", mine(() => {
      this.#tries = 0;
      clearTimeout(this.#lost);
      this.#lost = 0;
      this.tell.ready();
      this.tell.link("live");
    }));
    source.addEventListener("error", mine(() => this.#broken()));
  }

  // doubt: no stream for now; after a while that is worth a word.
  #doubt() {
    if (this.#lost) return;
    this.tell.link("opening");
    this.#lost = setTimeout(() => this.tell.link("lost"), SLOW);
  }

  #broken() {
    this.#close();
    this.#doubt();
    const wait = Math.min(30000, 500 * 2 ** this.#tries++) * (0.75 + Math.random() / 2);
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#on && !document.hidden && this.#open(), wait);
    this.#health();
  }

  // look asks the server how it is out of turn: something of that has changed.
  look() {
    if (!this.#on || document.hidden) return;
    clearTimeout(this.#ask);
    this.#ask = setTimeout(() => this.#health(), LOOK);
  }

  async #health() {
    clearTimeout(this.#ask);
    let health = null;
    try {
      const answer = await fetch("/healthz", { signal: AbortSignal.timeout(5000) });
      if (answer.status === 401) return this.#on && this.tell.stranger();
      health = JSON.parse(await answer.text());
      // A hub tells everybody that it is there, and how it is only to who is logged in.
      if (health?.status && health.devices === undefined) return this.#on && this.tell.stranger();
    } catch {
      // No answer, or one that is none: the same as a broken stream.
    }
    if (!this.#on) return;
    if (health?.status) this.tell.health(health);
    else if (this.#source && this.#source.readyState === EventSource.OPEN) this.#broken();
    clearTimeout(this.#ask);
    this.#ask = setTimeout(() => !document.hidden && this.#health(), ASK);
  }
}
