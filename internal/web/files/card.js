// The card of one device.

import { make, mark, row, set } from "./control.js";
import { formOf, labelOf, lookOf, mainOf, pairOf, stateOf } from "./words.js";

const ROWS = 5; // properties that are shown at once beside the first one; more are folded away
const NOTE = 60000; // ms that a card tells how a wish ended

const SIGN = { pending: "i-pending", offline: "i-offline", away: "i-away", unknown: "i-unknown", never: "i-unknown" };

// In which order properties stand: first what one moves, then what one reads, last what one types.
const RANK = { slider: 0, switch: 1, choice: 2, read: 3, number: 4, text: 5 };

let count = 0;

export class Card {
  #parts = {};
  #controls = new Map();
  #built = "";
  #timer = 0;

  // ask(device, property, value, literal) is called when somebody wants something.
  constructor(ask) {
    this.ask = ask;
    this.node = document.getElementById("t-card").content.firstElementChild.cloneNode(true);
    const q = (s) => this.node.querySelector(s);
    this.#parts = {
      title: q(".title"), say: q(".say"), sign: q(".sign"), signUse: q(".sign use"), picture: q(".picture"), main: q(".main"),
      trouble: q(".trouble"), troubleText: q(".trouble span"), note: q(".note"), noteText: q(".note span"),
      rows: q(".card > .rows"), more: q(".more"), moreRows: q(".more .rows"), summary: q(".more summary"), foot: q(".foot"),
    };
    const id = `d${++count}`;
    this.#parts.title.id = `${id}-t`;
    q(".state").id = `${id}-s`;
    this.#parts.trouble.id = `${id}-e`;
    this.node.setAttribute("aria-labelledby", `${id}-t`);
    this.ids = { title: `${id}-t`, about: `${id}-s ${id}-e` };
    q(".note button").addEventListener("click", () => this.note(""));
  }

  // show draws the device as it is; own are wishes of this page, opts.nodes and opts.rooms whether to name the node or the
  // room.
  show(device, own, opts) {
    this.device = device;
    const props = device.properties;
    const main = mainOf(props);
    this.#build(props, main);
    const looks = {};
    for (const name of Object.keys(props)) looks[name] = lookOf(props[name], own?.get(name));
    const state = (this.state = stateOf(device, looks, main));
    const p = this.#parts;
    set(p.title, "textContent", device.title || device.name);
    set(p.say, "textContent", state.words);
    const sign = SIGN[state.kind];
    mark(p.sign, "hidden", sign ? null : "");
    if (sign) mark(p.signUse, "href", `#${sign}`);
    mark(this.node, "data-kind", state.kind);
    mark(this.node, "data-lit", state.lit ? "true" : null);
    mark(this.node, "data-trouble", state.troubles.length ? "true" : null);
    mark(p.trouble, "hidden", state.troubles.length ? null : "");
    set(p.troubleText, "textContent", state.troubles.join("; "));
    const off = opts.viewer ? "You may look only" : state.offline ? "The device is offline" : "";
    for (const [name, c] of this.#controls) {
      c.control.show(props[name], looks[name], off);
      c.row?.show(props[name], looks[name]);
    }
    this.#foot(device, opts);
  }

  #foot(device, opts) {
    const path = device.namespace === "default" ? device.name : `${device.namespace}/${device.name}`;
    set(this.#parts.title, "title", path);
    const parts = [];
    if (device.namespace !== "default") parts.push(path);
    if (opts.nodes && device.node) parts.push(`on ${device.node}`);
    if (opts.rooms && device.room) parts.push(device.room);
    const text = parts.join(" · ");
    set(this.#parts.foot, "textContent", text);
    mark(this.#parts.foot, "hidden", text ? null : "");
  }

  // build makes the controls anew if the device's definition is another one.
  #build(props, main) {
    const names = Object.keys(props);
    const shape = JSON.stringify(names.map((n) => [n, formOf(props[n]), props[n].type, n === main]));
    if (shape === this.#built) return;
    this.#built = shape;
    this.#controls.clear();
    const p = this.#parts;
    for (const box of [p.main, p.rows, p.moreRows]) box.replaceChildren();
    const rest = names.filter((n) => n !== main);
    rest.sort((a, b) => RANK[formOf(props[a])] - RANK[formOf(props[b])]);
    for (const [i, name] of (main ? [main, ...rest] : rest).entries()) {
      const control = make(name, props[name], (value, literal) => {
        this.note("");
        this.ask(this.device, name, value, literal);
      });
      const field = control.focus ?? control.node;
      if (name === main) {
        mark(field, "aria-labelledby", this.ids.title);
        mark(field, "aria-describedby", this.ids.about);
        p.main.append(control.node);
        this.#controls.set(name, { control });
        continue;
      }
      const r = row(name, control);
      const label = r.node.querySelector(".label");
      label.id = `${this.ids.title}-${i}`;
      mark(field, "aria-labelledby", `${this.ids.title} ${label.id}`);
      (this.#controls.size - (main ? 1 : 0) < ROWS || rest.length === ROWS + 1 ? p.rows : p.moreRows).append(r.node);
      this.#controls.set(name, { control, row: r });
    }
    mark(p.more, "hidden", p.moreRows.childElementCount ? null : "");
    set(p.summary, "textContent", `${p.moreRows.childElementCount} more`);
    mark(p.rows, "hidden", p.rows.childElementCount ? null : "");
    mark(p.picture, "href", main && pairOf(props[main]) && (names.length === 1 || /^(power|on|light|lamp|state|switch)/i.test(main)) ? "#i-lamp" : names.some((n) => formOf(props[n]) !== "read") ? "#i-dial" : "#i-sensor");
  }

  // note tells how a wish ended; "" takes it away.
  note(text, prop) {
    clearTimeout(this.#timer);
    const several = prop && this.device && Object.keys(this.device.properties).length > 1 && prop !== mainOf(this.device.properties);
    set(this.#parts.noteText, "textContent", text && several ? `${labelOf(prop)}: ${text}` : text);
    mark(this.#parts.note, "hidden", text ? null : "");
    if (text) this.#timer = setTimeout(() => this.note(""), NOTE);
  }
}
