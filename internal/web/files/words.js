// What the page says about a device: pure functions of what the routes tell, and of what this page asked for.

const ON = new Set(["on", "true", "yes", "open", "opened", "enabled", "enable", "active", "start", "started", "running", "locked", "up", "high", "1"]);
const OFF = new Set(["off", "false", "no", "close", "closed", "disabled", "disable", "inactive", "stop", "stopped", "idle", "unlocked", "down", "low", "0"]);

// pairOf gives the two values of a property that is a switch, else null.
export function pairOf(p) {
  if (p.type === "bool") return { on: true, off: false };
  if (p.type === "int" && p.min === 0 && p.max === 1) return { on: 1, off: 0 };
  if (p.type !== "string" || p.enum?.length !== 2) return null;
  const [a, b] = p.enum;
  if (ON.has(a.toLowerCase()) && OFF.has(b.toLowerCase())) return { on: a, off: b };
  if (OFF.has(a.toLowerCase()) && ON.has(b.toLowerCase())) return { on: b, off: a };
  return null;
}

// formOf tells which control fits a property.
export function formOf(p) {
  if (p.access === "ReadOnly") return "read";
  if (pairOf(p)) return "switch";
  if (p.type === "string") return p.enum?.length ? "choice" : "text";
  return p.min !== undefined && p.max !== undefined && p.min < p.max ? "slider" : "number";
}

// mainOf gives the property that a card shows first: the switch, and of several the one named after power; a device that
// only measures one thing shows that.
export function mainOf(props) {
  const names = Object.keys(props);
  const switches = names.filter((n) => formOf(props[n]) === "switch");
  const power = switches.find((n) => /^(power|on|state|switch)/i.test(n));
  if (power || switches.length) return power ?? switches[0];
  return names.length === 1 && formOf(props[names[0]]) === "read" ? names[0] : "";
}

// lookOf gives how one property is at the moment. own is what this page asked for and has not heard the end of.
export function lookOf(p, own) {
  if (own?.settled) return { value: own.value, actual: own.value, at: p.actual?.at, pending: false, restore: false, trouble: "", never: false };
  const actual = p.actual?.value, expected = p.expected?.value;
  const waits = Boolean(own) || Boolean(p.wish);
  return {
    value: own ? own.value : p.wish && expected !== undefined ? expected : actual ?? expected,
    actual, at: p.actual?.at,
    pending: waits, restore: !own && Boolean(p.wish?.restore),
    trouble: p.wish?.trouble ?? own?.trouble ?? "",
    never: actual === undefined,
  };
}

// Integers that JavaScript cannot hold exactly arrive as text and stay so.
const shape = new Intl.NumberFormat(undefined, { maximumFractionDigits: 6, useGrouping: false });

// textOf writes a value for people.
export function textOf(p, v) {
  if (v === undefined || v === null) return "–";
  if (p.type === "bool") return v ? "On" : "Off";
  if (p.type === "string") return wordOf(String(v));
  const text = typeof v === "number" ? shape.format(v) : String(v);
  const unit = { percent: "%", celsius: "°C", fahrenheit: "°F", degree: "°" }[p.unit?.toLowerCase()] ?? p.unit;
  return unit ? `${text}\u202f${unit}` : text;
}

// wordOf softens words that shout, as ON.
export function wordOf(s) {
  return /^[A-Z][A-Z0-9_ -]*$/.test(s) ? s[0] + s.slice(1).toLowerCase().replaceAll("_", " ") : s === "" ? "(empty)" : s;
}

// switchText is textOf for a switch: On and Off where the words say no more than that.
export function switchText(p, v) {
  if (v === undefined) return "–";
  return p.type === "int" ? (Number(v) === 1 ? "On" : "Off") : textOf(p, v);
}

// labelOf makes words of a property's name.
export function labelOf(name) {
  const s = name.replace(/[-_.]+/g, " ").replace(/([\p{Ll}\d])(\p{Lu}(?=\p{Ll}))/gu, (_, a, b) => `${a} ${b.toLocaleLowerCase()}`).trim() || name;
  return s[0].toLocaleUpperCase() + s.slice(1);
}

// timeOf writes when something was: the time today, else the day too.
export function timeOf(at) {
  const t = new Date(at);
  const today = t.toDateString() === new Date().toDateString();
  return t.toLocaleString(undefined, today ? { timeStyle: "short" } : { dateStyle: "medium", timeStyle: "short" });
}

// sinceOf writes since when something is so.
export function sinceOf(at) { return `since ${timeOf(at)}`; }

// reasonOf makes a sentence of why a wish waits or a definition is not taken, as servers tell it.
function reasonOf(why) {
  const words = { "node unreachable": "Its node is not connected", "node: disk": "The disk of its node takes nothing more: the node does nothing new until it does" }[why];
  return words ?? why.replace(/^node (?=[^:]*:)/, "Node ").replace(/: device: "[^"]*": expected /, ": it expected ");
}

// stateOf sums a device up: its kind of state, for the looks and the filters, and the words for it. all are the looks of
// its properties, main the name of the first one.
export function stateOf(device, all, main) {
  const p = device.properties[main], look = all[main];
  const looks = Object.values(all);
  const pending = looks.some((l) => l.pending);
  const away = device.nodeAway ?? "";
  // That a wish waits for a node which is away is said in the words.
  const troubles = [...new Set(looks.map((l) => l.trouble).filter((t) => t && !(away && t === "node unreachable")).map(reasonOf))];
  if (device.trouble) troubles.unshift(reasonOf(device.trouble));
  if (device.state === "unhealthy" || device.state === "error") troubles.unshift(`The device says: ${device.state}`);
  const pair = p && pairOf(p);
  const never = looks.length > 0 && looks.every((l) => l.never);
  const show = !p ? "" : pair ? switchText(p, look.actual) : "";
  let kind = "calm", words;
  if (away) {
    kind = "away";
    words = `Node away ${sinceOf(away)}${never ? ", never reported" : show ? `, was ${lower(show)}` : ""}`;
    if (pending) words += `. ${waitText(p, look, pair)}`;
  } else if (device.presence === "offline") {
    kind = "offline";
    words = never ? "Offline, never reported" : `Offline${show ? `, was ${lower(show)}` : ""}${look?.at ? ` at ${timeOf(look.at)}` : ""}`;
    if (pending) words += ". A wish waits for it";
  } else if (pending) {
    kind = "pending";
    words = pendingText(p, look, pair);
  } else if (never) {
    kind = "never";
    words = looks.length ? "Never reported" : "Nothing to show";
  } else if (device.presence === "unknown") {
    kind = "unknown";
    words = show ? `${show}, not heard of yet` : "Not heard of yet";
  } else {
    words = show || (look?.at ? `At ${timeOf(look.at)}` : "Online");
  }
  const offline = kind === "offline";
  // Of what cannot be reached nobody knows whether it shines.
  return { kind, words, troubles, pending, offline, away: Boolean(away), lit: !offline && !away && Boolean(pair) && look.actual === pair.on };
}

// waitText says what is to happen once the node is back.
function waitText(p, look, pair) {
  if (!p || !pair || !look.pending) return "The change waits for it";
  const word = switchText(p, look.value);
  return word === "On" || word === "Off" ? `To be turned ${lower(word)} when it is back` : `To be ${lower(word)} when it is back`;
}

function pendingText(p, look, pair) {
  if (!p || !look.pending) return "Changing…";
  const is = look.never ? "" : `, is ${lower(switchText(p, look.actual))}`;
  if (look.restore && look.actual === look.value) return `Making sure that it is ${lower(switchText(p, look.value))}`;
  if (look.restore) return `Going back to ${lower(switchText(p, look.value))}${is}`;
  const word = switchText(p, look.value);
  const turning = word === "On" || word === "Off" ? `Turning ${lower(word)}` : `To ${lower(word)}`;
  return `${pair ? turning : "Changing"}…${look.actual === look.value ? "" : is}`;
}

function lower(s) { return s === "On" || s === "Off" ? s.toLowerCase() : s; }

// endOf says what became of a wish that was not applied; "" for one that was. origin is where what holds now came from, hub
// whether this is a hub's page.
export function endOf(wish, origin, hub) {
  const why = wish.reason ? `: ${wish.reason}` : "";
  switch (wish.outcome) {
    case "applied": return "";
    case "failed": return `It did not work${why}`;
    case "expired": return "Given up: it was not done within 5 minutes";
    case "superseded": return wish.by === "definition" || wish.by === "deleted" ? `Ended: the device was ${wish.by === "deleted" ? "deleted" : "defined anew"}` : `Overruled by ${whoOf(origin, hub)}`;
    case "refused": return `Refused${why}`;
  }
  return `Ended: ${wish.outcome}${why}`;
}

function whoOf(origin, hub) {
  return {
    device: "a hand on the device", local: hub ? "somebody at the node" : "somebody else at the node", mqtt: "an MQTT client", homekit: "Apple Home",
    matter: "Matter", rule: "a rule", cloud: hub ? "somebody else at the hub" : "the hub", kubernetes: "Kubernetes",
  }[origin] ?? "a later wish";
}
