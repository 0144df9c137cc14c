// The controls with which people change a property. Each is {node, show(property, look, off)}: off keeps it from being
// used. None is ever moved by the stream while a hand is on it.

import { formOf, labelOf, pairOf, switchText, textOf, wordOf } from "./words.js";

// make builds the control that fits a property. ask(value, literal) is called with what somebody wants.
export function make(name, property, ask) {
  const form = formOf(property);
  const control = { read, switch: toggle, choice, text, slider, number }[form](name, property, ask);
  return { ...control, form };
}

export function element(tag, attrs = {}, ...children) {
  const node = document.createElement(tag);
  for (const [k, v] of Object.entries(attrs)) node.setAttribute(k, v);
  node.append(...children);
  return node;
}

// set writes only what differs, so that nothing is drawn anew in vain.
export function set(node, key, value) {
  if (node[key] !== value) node[key] = value;
}

export function mark(node, attr, value) {
  if (value === null || value === false) node.removeAttribute(attr);
  else if (node.getAttribute(attr) !== String(value)) node.setAttribute(attr, value);
}

function read() {
  const node = element("output", { class: "value", dir: "auto" });
  return { node, show(p, look) { set(node, "textContent", textOf(p, look.actual)); } };
}

function toggle(name, property, ask) {
  const node = document.getElementById("t-switch").content.firstElementChild.cloneNode(true);
  let next = null, now = property;
  node.addEventListener("click", () => {
    if (node.getAttribute("aria-disabled") !== "true") ask(next, JSON.stringify(next));
  });
  return {
    node,
    show(p, look, off) {
      now = p;
      const pair = pairOf(now);
      const on = look.value === pair.on;
      next = on ? pair.off : pair.on;
      mark(node, "aria-checked", String(on));
      mark(node, "aria-busy", look.pending ? "true" : null);
      mark(node, "aria-disabled", off ? "true" : null);
      mark(node, "data-look", look.value === undefined ? "never" : look.pending ? "pending" : "calm");
      set(node, "title", off || (on ? `Now ${switchText(p, pair.on)}` : `Now ${switchText(p, look.value)}`));
    },
  };
}

function choice(name, property, ask) {
  const node = element("select", { class: "choice", dir: "auto" });
  let words = "";
  node.addEventListener("change", () => ask(node.value, JSON.stringify(node.value)));
  return {
    node,
    show(p, look, off) {
      const all = p.enum.includes(look.value) ? p.enum : [...p.enum, null];
      if (words !== JSON.stringify(all)) {
        words = JSON.stringify(all);
        node.replaceChildren(...all.map((w) => {
          const o = element("option", w === null ? { value: "", disabled: "", hidden: "" } : { value: w });
          o.textContent = w === null ? "–" : wordOf(w);
          return o;
        }));
      }
      set(node, "value", p.enum.includes(look.value) ? look.value : "");
      mark(node, "aria-busy", look.pending ? "true" : null);
      set(node, "disabled", Boolean(off));
    },
  };
}

function text(name, property, ask) {
  const node = element("input", { class: "entry", type: "text", maxlength: "4096", autocomplete: "off", spellcheck: "false", dir: "auto", enterkeyhint: "done" });
  return entry(node, (v) => String(v ?? ""), (t) => ask(t, JSON.stringify(t)));
}

function number(name, property, ask) {
  const node = element("input", { class: "entry", type: "text", inputmode: property.type === "int" && !(property.min < 0) ? "numeric" : "text", autocomplete: "off", enterkeyhint: "done" });
  const unit = element("span", { class: "unit" });
  const box = element("span", { class: "with-unit" }, node, unit);
  const e = entry(node, (v) => String(v ?? ""), (t) => {
    const typed = t.trim().replace(",", ".");
    // Anything else goes to the server as text, which says what it expected.
    const good = property.type === "int" ? /^-?(0|[1-9]\d*)$/.test(typed) : /^-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?$/.test(typed);
    const exact = good && (property.type !== "int" || Number.isSafeInteger(Number(typed))) ? Number(typed) : typed;
    ask(exact, good ? typed : JSON.stringify(typed));
  });
  return { node: box, focus: node, show(p, look, off) { e.show(p, look, off); set(unit, "textContent", p.unit ? textOf(p, "").trim() : ""); } };
}

// entry is a field: Enter or leaving it sends what was typed, Escape takes it back.
function entry(node, textual, send) {
  let shown = "", latest = "";
  const sendIt = () => { if (node.value !== shown) send((shown = node.value)); };
  node.addEventListener("change", sendIt);
  node.addEventListener("keydown", (e) => {
    if (e.key === "Escape") node.value = shown = latest;
    if (e.key === "Enter") sendIt(); // some browsers see no change where what was there before was set by us
  });
  return {
    node,
    show(p, look, off) {
      latest = textual(look.value);
      if (document.activeElement !== node || node.value === shown) {
        set(node, "value", latest);
        shown = latest;
      }
      mark(node, "aria-busy", look.pending ? "true" : null);
      set(node, "disabled", Boolean(off));
    },
  };
}

function slider(name, property, ask) {
  const node = element("input", { class: "slider", type: "range" });
  const out = element("output", { class: "value" });
  const box = element("span", { class: "slide" }, node, out);
  let held = false, p = property;
  const fill = () => {
    const part = (node.value - node.min) / (node.max - node.min || 1);
    node.style.setProperty("--part", `${Math.round(part * 1000) / 10}%`);
  };
  const say = () => {
    const v = Number(node.value);
    set(out, "textContent", textOf(p, v));
    mark(node, "aria-valuetext", textOf(p, v));
    fill();
  };
  node.addEventListener("pointerdown", () => { held = true; });
  for (const e of ["pointerup", "pointercancel", "blur"]) node.addEventListener(e, () => { held = false; });
  node.addEventListener("input", say);
  node.addEventListener("change", () => { held = false; ask(Number(node.value), node.value); });
  return {
    node: box, focus: node,
    show(now, look, off) {
      p = now;
      mark(node, "min", p.min);
      mark(node, "max", p.max);
      mark(node, "step", p.step || (p.type === "int" ? 1 : "any"));
      mark(node, "aria-busy", look.pending ? "true" : null);
      set(node, "disabled", Boolean(off));
      if (held) return;
      const known = look.value !== undefined;
      set(node, "value", String(known ? look.value : p.min));
      mark(node, "data-look", known ? "calm" : "never");
      say();
      if (!known) set(out, "textContent", "–");
    },
  };
}

// row puts a label before a control, and what the property does now behind it while something is pending.
export function row(name, control) {
  const label = element("span", { class: "label", dir: "auto" });
  const now = element("span", { class: "now", dir: "auto" });
  label.textContent = labelOf(name);
  const node = element("div", { class: `row is-${control.form}` }, element("span", { class: "what" }, label, now), control.node);
  return {
    node,
    show(p, look) {
      mark(node, "data-pending", look.pending ? "true" : null);
      const is = look.never ? "never reported" : `now ${control.form === "switch" ? switchText(p, look.actual) : textOf(p, look.actual)}`;
      const word = control.form === "switch" && !look.never ? switchText(p, look.actual) : "";
      const calm = look.never && control.form !== "read" ? "never reported" : word === "On" || word === "Off" ? "" : word;
      set(now, "textContent", look.pending ? is : calm);
    },
  };
}
