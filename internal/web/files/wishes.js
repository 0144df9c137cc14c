// Wishes of this page: a press on a switch is a wish that ends after five minutes, and whoever pressed is told how it
// ended, in whatever way.

import { endOf } from "./words.js";

const VALID = "5m";
const WAIT = "250ms"; // most lamps are quicker; the next press on the same switch waits for this one's answer
const SETTLE = 1500; // ms that an applied wish is shown until the stream tells of it too
const LOOK = 5000; // ms between looks at a wish that is still pending

export class Wishes {
  #open = new Map(); // device key -> property -> wish

  // changed(key) draws a device anew; end(key, prop, text) tells the end, "" if all
  // went well; origin(key, prop) gives where what is expected now came from; stranger() as of Stream.
  constructor(tell) { Object.assign(this, { tell, hub: false }); }

  // of gives what is under way for a device, by property.
  of(key) { return this.#open.get(key); }

  clear() {
    for (const props of this.#open.values()) for (const w of props.values()) clearTimeout(w.timer);
    this.#open.clear();
  }

  // ask wishes for a value; literal is its JSON. A later wish for the same property takes the place of an earlier one.
  ask(device, key, prop, value, literal) {
    const w = { value, id: "", trouble: "", timer: 0, from: device.properties[prop]?.expected?.rev ?? 0 };
    const props = this.#open.get(key) ?? new Map();
    const before = props.get(prop);
    clearTimeout(before?.timer);
    this.#open.set(key, props.set(prop, w));
    this.tell.changed(key);
    const path = `/v1/devices/${encodeURIComponent(device.namespace)}/${encodeURIComponent(device.name)}/expected?wait=${WAIT}`;
    const body = `{"expected":{${JSON.stringify(prop)}:${literal}},"validFor":"${VALID}"}`;
    const send = () => this.#send(key, prop, w, path, { method: "PATCH", headers: { "Content-Type": "application/json" }, body });
    // Of two requests that are on their way at once, the earlier one may arrive last, and be what holds.
    w.sent = before ? before.sent.then(() => this.#mine(key, prop, w) && send()) : send();
  }

  async #send(key, prop, w, path, how) {
    let answer, body;
    try {
      answer = await fetch(path, { ...how, signal: AbortSignal.timeout(20000) });
      body = JSON.parse(await answer.text());
    } catch {
      if (!this.#mine(key, prop, w)) return;
      if (w.id) this.#later(key, prop, w); // it was accepted: somebody will know what became of it
      else this.#end(key, prop, w, "Not sent: there is no connection");
      return;
    }
    if (!this.#mine(key, prop, w)) return;
    if (answer.status === 401) return this.tell.stranger();
    if (body.id && body.outcome === "pending") {
      w.id = body.id;
      w.trouble = body.trouble ?? "";
      this.tell.changed(key);
      return this.#later(key, prop, w);
    }
    if (body.id && body.outcome) return this.#end(key, prop, w, endOf(body, this.tell.origin(key, prop), this.hub));
    if (w.id && answer.status === 404) return this.#end(key, prop, w, ""); // so old that nobody remembers it
    if (w.id && !answer.ok) return this.#later(key, prop, w);
    this.#end(key, prop, w, answer.ok ? "" : refusalOf(answer.status, body));
  }

  #mine(key, prop, w) { return this.#open.get(key)?.get(prop) === w; }

  #later(key, prop, w, wait = LOOK) {
    clearTimeout(w.timer);
    w.timer = setTimeout(() => this.#mine(key, prop, w) && this.#send(key, prop, w, `/v1/wishes/${encodeURIComponent(w.id)}`), wait);
  }

  // seen looks at wishes that a device no longer shows as pending: they have ended.
  seen(key, device) {
    for (const [prop, w] of this.#open.get(key) ?? []) {
      const p = device?.properties[prop], now = p?.wish;
      // The stream has caught up, or is further: somebody else has wished since.
      const further = p?.expected?.rev > w.from && p.expected.value !== w.value;
      if (w.settled && (p?.actual?.value === w.value || further)) this.#drop(key, prop, w);
      if (!w.id || w.settled) continue;
      if (now?.id === w.id) w.trouble = now.trouble ?? "";
      else this.#later(key, prop, w, 0);
    }
  }

  // end: what was applied is shown as it is now, though the stream may be a moment behind; a switch does not flicker.
  #end(key, prop, w, text) {
    clearTimeout(w.timer);
    this.tell.end(key, prop, text);
    if (text) return this.#drop(key, prop, w);
    w.settled = true;
    w.timer = setTimeout(() => this.#drop(key, prop, w), SETTLE);
    this.tell.changed(key);
  }

  #drop(key, prop, w) {
    clearTimeout(w.timer);
    if (!this.#mine(key, prop, w)) return;
    const props = this.#open.get(key);
    props.delete(prop);
    if (!props.size) this.#open.delete(key);
    this.tell.changed(key);
  }
}

// refusalOf says why a wish was not accepted, in the server's words, which name the value and what was expected.
function refusalOf(status, body) {
  const said = typeof body?.detail === "string" && body.detail !== "" ? body.detail : `status ${status}`;
  return `Refused: ${said.replace(/^(the wish was )?refused: /, "")}`;
}
