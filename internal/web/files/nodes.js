// The nodes that the devices hang on, where there are several: whether they are there, and which devices to show how.

import { element, mark, set } from "./control.js";

const order = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

// What there is to choose: all devices in one of two orders, or those of one node.
const ROOMS = "rooms", NODES = "nodes", ONE = "node ";

export class Nodes {
  #all = new Map(); // name -> {count, away}
  #options = "";
  #stale = false;
  #choice = recall();

  // picked() is called when other devices are to be shown, or to stand otherwise.
  constructor(picked) {
    this.select = document.getElementById("nodes");
    this.select.addEventListener("change", () => {
      this.#choice = this.select.value;
      remember(this.#choice);
      picked();
    });
  }

  get several() { return this.#all.size > 1; }

  // one is the node whose devices are shown, "" for all.
  get one() { return this.several && this.#choice.startsWith(ONE) ? this.#choice.slice(ONE.length) : ""; }

  // grouped tells whether devices stand under their nodes instead of their rooms.
  get grouped() { return this.several && this.#choice === NODES; }

  // away gives since when a node is away, "" if it is there.
  away(name) { return this.#all.get(name)?.away ?? ""; }

  // count notes that a device was another one before, and is this one now; either may be missing. It tells whether
  // several nodes have become one or one several.
  count(before, now) {
    const was = this.several;
    const left = before?.node && this.#all.get(before.node);
    if (left) left.count--;
    if (now?.node) {
      const n = this.#all.get(now.node) ?? { count: 0, away: "" };
      this.#stale ||= n.count === 0 || n.away !== (now.nodeAway ?? "");
      this.#all.set(now.node, { count: n.count + 1, away: now.nodeAway ?? "" });
    }
    if (left && this.#all.get(before.node).count === 0) this.#stale = this.#all.delete(before.node);
    return was !== this.several;
  }

  // draw brings the choice up to date; wanted tells whether there is one, complete whether all devices are known. It is
  // called between frames, as thousands of devices come at once. It tells whether the node that was shown is gone.
  draw(wanted, complete) {
    mark(this.select, "hidden", wanted ? null : "");
    if (!this.#stale || !complete) return false;
    this.#stale = false;
    const names = [...this.#all.keys()].sort(order.compare);
    const lost = this.#choice.startsWith(ONE) && !this.#all.has(this.#choice.slice(ONE.length));
    if (lost) remember((this.#choice = ROOMS));
    const nodes = names.map((n) => [ONE + n, this.away(n) ? `${n} – away` : n]);
    const options = JSON.stringify(nodes);
    if (options !== this.#options) {
      this.#options = options;
      const option = ([value, words]) => element("option", { value, dir: "auto" }, words);
      this.select.replaceChildren(option([ROOMS, "All by room"]), option([NODES, "All by node"]), element("optgroup", { label: "One node" }, ...nodes.map(option)));
    }
    set(this.select, "value", this.#choice);
    return lost;
  }
}

// What was chosen stands in the address, so that it outlives a reload and can be a bookmark; the browser keeps nothing else.
function recall() {
  const said = new URLSearchParams(location.search);
  if (said.get("node")) return ONE + said.get("node");
  return said.get("by") === "node" ? NODES : ROOMS;
}

function remember(choice) {
  const one = choice.startsWith(ONE) ? { node: choice.slice(ONE.length) } : choice === NODES ? { by: "node" } : {};
  const said = String(new URLSearchParams(one));
  history.replaceState(null, "", said ? `?${said}` : location.pathname);
}
