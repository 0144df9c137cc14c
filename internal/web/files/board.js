// All devices: cards in rooms, in the order of a reader, of which only those are touched that change.

import { Card } from "./card.js";
import { element, mark, set } from "./control.js";
import { Nodes } from "./nodes.js";
import { sinceOf } from "./words.js";

const BUDGET = 8; // ms of drawing in one frame
const FIRST = 40; // the same while the first devices come: each frame lays out the whole page
const MANY = 12; // devices beyond which one has to look for them
const FEW = 6; // devices up to which nobody needs to choose a node

const order = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

export const keyOf = (d) => `${d.namespace}/${d.name}`;

const FILTERS = [
  ["all", "All", () => true],
  ["on", "On", (s) => s.lit],
  ["pending", "Pending", (s) => s.pending],
  ["problems", "Problems", (s) => s.troubles.length > 0 || s.offline || s.away],
];

export class Board {
  #devices = new Map(); // key -> device as last told
  #cards = new Map(); // key -> {card, room, title, words, on}
  #rooms = new Map(); // name of a room, or of a node -> {node, grid, count, cards: [key]}
  #dirty = new Set();
  #frame = 0;
  #seen = null; // keys told since the stream began
  #grouped = false; // whether #rooms are nodes
  #filter = "all";
  #query = "";
  #chips = new Map();

  // ask is as of Card; own(key) gives the page's own wishes; counted(summary) is told the numbers; came() that a node has
  // come or gone.
  constructor({ ask, own, counted, came }) {
    Object.assign(this, { ask, own, counted, came, viewer: false });
    this.root = document.getElementById("rooms");
    this.find = document.getElementById("find");
    this.nodes = new Nodes(() => this.#arrange());
    const search = document.getElementById("search");
    search.addEventListener("input", () => { this.#query = search.value.trim().toLocaleLowerCase(); this.#sift(); });
    for (const [id, text] of FILTERS) {
      const n = element("span", { class: "n" });
      const chip = element("button", { type: "button", class: "chip", "aria-pressed": String(id === "all") }, text, " ", n);
      chip.addEventListener("click", () => { this.#filter = id; this.#sift(); });
      this.#chips.set(id, { chip, n });
      document.getElementById("chips").append(chip);
    }
  }

  get(key) { return this.#devices.get(key); }
  card(key) { return this.#cards.get(key)?.card; }

  begin() { this.#seen = new Set(); }

  // ready: what the stream has not told by now is not there any more.
  ready() {
    for (const key of this.#devices.keys()) if (this.#seen && !this.#seen.has(key)) this.#forget(key);
    this.#seen = null;
    this.complete = true;
    this.draw();
  }

  device(d) {
    const key = keyOf(d);
    this.#seen?.add(key);
    const was = this.nodes.away(d.node);
    if (this.nodes.count(this.#devices.get(key), d)) this.#again();
    this.#devices.set(key, d);
    if (this.complete && was !== this.nodes.away(d.node)) this.came();
    this.draw(key);
  }

  deleted(d) {
    this.#seen?.delete(keyOf(d));
    this.#forget(keyOf(d));
    this.draw();
  }

  clear() {
    for (const key of [...this.#devices.keys()]) this.#forget(key);
    this.complete = false;
  }

  // again draws all cards anew.
  #again() { for (const key of this.#devices.keys()) this.#dirty.add(key); }

  // arrange: another node is to be shown, or the devices are to stand otherwise.
  #arrange() {
    if (this.#grouped !== this.nodes.grouped) this.#regroup();
    this.#again(); // what a card says beside its state depends on it
    this.draw();
    this.#sift();
  }

  // regroup puts all cards elsewhere at once: spread over frames, each would lay out the whole page.
  #regroup() {
    this.#grouped = this.nodes.grouped;
    this.root.replaceChildren();
    this.#rooms.clear();
    for (const [key, at] of this.#cards) {
      this.#place(key, at, this.#roomOf(this.#devices.get(key)), at.title);
      this.#show(key);
    }
  }

  #roomOf(d) { return (this.#grouped ? d.node : d.room) ?? ""; }

  #forget(key) {
    if (this.nodes.count(this.#devices.get(key), undefined)) this.#again();
    this.#devices.delete(key);
    this.#dirty.delete(key);
    this.#leave(key);
    this.#cards.delete(key);
  }

  #leave(key) {
    const at = this.#cards.get(key);
    if (!at) return;
    at.card.node.remove();
    at.room.cards.splice(at.room.cards.indexOf(key), 1);
    if (at.room.cards.length) return;
    at.room.node.remove();
    this.#rooms.delete(at.room.name);
  }

  // draw draws a device in the next frames; without a key, what is not about a device.
  draw(key) {
    if (key !== undefined) this.#dirty.add(key);
    this.#frame ||= requestAnimationFrame(() => this.#flush());
  }

  #flush() {
    this.#frame = 0;
    if (this.#grouped !== this.nodes.grouped) this.#regroup();
    const until = performance.now() + (this.complete ? BUDGET : FIRST);
    for (const key of this.#dirty) {
      this.#dirty.delete(key);
      this.#show(key);
      if (performance.now() > until) break;
    }
    if (this.#dirty.size) this.draw();
    else this.#tally();
  }

  #show(key) {
    const d = this.#devices.get(key);
    if (!d) return;
    const room = this.#roomOf(d);
    const title = d.title || d.name;
    let at = this.#cards.get(key);
    if (at && (at.room.name !== room || at.title !== title)) {
      this.#leave(key);
      this.#place(key, at, room, title);
    }
    if (!at) {
      const card = new Card((device, prop, value, literal) => {
        this.ask(device, key, prop, value, literal);
        this.#show(key); // at once: the next press may come before the next frame, and flips what is shown
      });
      this.#cards.set(key, (at = { card }));
      this.#place(key, at, room, title);
    }
    at.on = d.node ?? "";
    at.words = `${title}\n${d.namespace}/${d.name}\n${room}\n${d.node ?? ""}`.toLocaleLowerCase();
    at.card.show(d, this.own(key), { nodes: this.nodes.several && !this.#grouped && this.nodes.one === "", rooms: this.#grouped, viewer: this.viewer });
    mark(at.card.node, "hidden", this.#fits(at) ? null : "");
  }

  #place(key, at, name, title) {
    const room = this.#room(name);
    at.room = room;
    at.title = title;
    let low = 0, high = room.cards.length;
    while (low < high) {
      const mid = (low + high) >> 1;
      const other = this.#cards.get(room.cards[mid]);
      if ((order.compare(other.title, title) || order.compare(room.cards[mid], key)) < 0) low = mid + 1;
      else high = mid;
    }
    const before = room.cards[low];
    room.cards.splice(low, 0, key);
    room.grid.insertBefore(at.card.node, before ? this.#cards.get(before).card.node : null);
  }

  #room(name) {
    let room = this.#rooms.get(name);
    if (room) return room;
    const node = document.getElementById("t-room").content.firstElementChild.cloneNode(true);
    room = { name, node, grid: node.querySelector(".grid"), head: node.querySelector("h2"), count: node.querySelector(".count"), cards: [] };
    node.querySelector(".name").textContent = name || (this.#grouped ? "On no node" : "Elsewhere");
    this.#rooms.set(name, room);
    const after = [...this.#rooms.values()].filter((o) => o !== room && o.node.isConnected && (!o.name || (name && order.compare(o.name, name) > 0)));
    const next = name ? after.sort((a, b) => (!a.name) - (!b.name) || order.compare(a.name, b.name))[0] : null;
    this.root.insertBefore(node, next?.node ?? null);
    return room;
  }

  #fits(at) {
    const one = this.nodes.one;
    if (one !== "" && at.on !== one) return false;
    if (this.#devices.size <= MANY) return true;
    const test = FILTERS.find(([id]) => id === this.#filter)[2];
    // A card that somebody is using does not vanish under the hand.
    return (test(at.card.state) || at.card.node.contains(document.activeElement)) && (this.#query === "" || at.words.includes(this.#query));
  }

  #sift() {
    for (const at of this.#cards.values()) mark(at.card.node, "hidden", this.#fits(at) ? null : "");
    this.#tally();
  }

  #tally() {
    const choose = this.nodes.several && (this.#devices.size > FEW || this.nodes.one !== "");
    if (this.nodes.draw(choose, this.complete)) return this.#arrange();
    const one = this.nodes.one;
    const all = Object.fromEntries(FILTERS.map(([id]) => [id, 0])), n = { ...all };
    for (const at of this.#cards.values()) {
      for (const [id, , test] of FILTERS) {
        if (!at.card.state || !test(at.card.state)) continue;
        all[id]++;
        if (one === "" || at.on === one) n[id]++;
      }
    }
    const many = this.#devices.size > MANY;
    mark(this.find, "hidden", many || choose ? null : "");
    mark(this.find, "data-few", many ? null : "true");
    for (const [id, { chip, n: out }] of this.#chips) {
      set(out, "textContent", String(n[id]));
      mark(chip, "aria-pressed", String(id === this.#filter));
    }
    let shown = 0;
    for (const room of this.#rooms.values()) {
      const cards = room.cards.map((key) => this.#cards.get(key)).filter((at) => one === "" || at.on === one).map((at) => at.card);
      const visible = cards.filter((c) => !c.node.hidden).length;
      const lit = cards.filter((c) => c.state?.lit).length;
      shown += visible;
      mark(room.node, "hidden", visible ? null : "");
      mark(room.node, "data-n", Math.min(visible, 3));
      mark(room.head, "hidden", this.#rooms.size === 1 && !room.name ? "" : null);
      const away = this.#grouped ? this.nodes.away(room.name) : "";
      mark(room.node, "data-away", away ? "true" : null);
      set(room.count, "textContent", [lit ? `${lit} on` : "", away ? `away ${sinceOf(away)}` : ""].filter(Boolean).join(" · "));
    }
    this.counted({ ...all, shown, devices: this.#devices.size, complete: Boolean(this.complete) });
  }
}
