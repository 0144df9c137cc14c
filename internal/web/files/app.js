// The page: who may look, then all devices, live.

import { Board } from "./board.js";
import { mark, set } from "./control.js";
import { Stream } from "./stream.js";
import { Wishes } from "./wishes.js";

const $ = (id) => document.getElementById(id);
const show = (node, yes) => mark(node, "hidden", yes ? null : "");

const wishes = new Wishes({
  changed: (key) => board.draw(key),
  origin: (key, prop) => board.get(key)?.properties[prop]?.expected?.origin,
  end(key, prop, text) {
    const card = board.card(key);
    card?.note(text, prop);
    const d = board.get(key);
    if (d && text) say(`${d.title || d.name}: ${text}`);
  },
  stranger: () => stranger(),
});

const board = new Board({
  ask: (...wish) => wishes.ask(...wish),
  own: (key) => wishes.of(key),
  came: () => stream.look(),
  counted(n) {
    const parts = [`${n.devices} ${n.devices === 1 ? "device" : "devices"}`];
    if (n.on) parts.push(`${n.on} on`);
    if (n.problems) parts.push(`${n.problems} ${n.problems === 1 ? "problem" : "problems"}`);
    set($("counts"), "textContent", n.complete ? parts.join(" · ") : "Reading…");
    const nothing = n.complete && n.shown === 0;
    show($("empty"), nothing);
    if (nothing) set($("empty"), "textContent", n.devices ? "No device fits." : "No device is defined yet. It appears here as soon as one is: by a manifest in the devices folder, or by twinbridge apply.");
  },
});

const stream = new Stream({
  begin: () => board.begin(),
  device(d) {
    board.device(d);
    wishes.seen(`${d.namespace}/${d.name}`, d);
  },
  deleted: (d) => board.deleted(d),
  ready: () => board.ready(),
  link(how) {
    set($("link"), "textContent", { live: "Live", opening: "Connecting", lost: "No connection" }[how]);
    mark($("link"), "data-link", how);
    show($("lost"), how === "lost");
    mark($("rooms"), "data-old", how === "lost" ? "true" : null);
  },
  health(h) {
    const where = h.node || "Hub";
    wishes.hub = h.nodes !== undefined;
    around(h);
    set($("node"), "textContent", where);
    set(document, "title", `${where} – twinbridge`);
    const troubles = [h.trouble, ...(h.hub ?? "").split("; ").filter((s) => s.startsWith("the hub does not take "))].filter(Boolean);
    show($("trouble"), troubles.length > 0);
    set($("trouble").lastElementChild, "textContent", troubles.map((s) => s[0].toLocaleUpperCase() + s.slice(1)).join("; "));
  },
  stranger: () => stranger(),
});

// around tells of the other side: a hub of its nodes, a node of its hub.
function around(h) {
  let text = "", bad = false;
  if (h.nodes !== undefined) {
    const away = h.nodesAway ?? 0;
    bad = away > 0;
    text = `${h.nodes} ${h.nodes === 1 ? "node" : "nodes"}${bad ? `, ${away} away` : ""}`;
  } else if (h.hub) {
    bad = !h.hub.startsWith("connected");
    text = bad ? "Hub away" : "Hub connected";
  }
  set($("around"), "textContent", text);
  set($("around"), "title", h.hub && bad ? h.hub : "");
  mark($("around"), "data-away", bad ? "true" : null);
}

// say tells those who do not see the page.
function say(text) {
  $("said").textContent = "";
  requestAnimationFrame(() => { $("said").textContent = text; });
}

function enter(session) {
  board.viewer = session.role === "viewer";
  show($("viewer"), board.viewer);
  show($("login"), false);
  show($("house"), true);
  $("code").value = "";
  stream.start();
}

// stranger shows the login; takes is what somebody may log in with, where that is known.
function stranger(takes) {
  if (takes) {
    tokens = takes.includes("token");
    set($("code").labels[0], "textContent", tokens ? "Code or API token" : "Code");
    set($("code-help"), "textContent", tokens ? "The code is printed in the terminal each time the hub starts. A token opens what its role may do." : "It is printed in the terminal each time twinbridge starts.");
    mark($("code"), "placeholder", tokens ? "XXXX-XXXX or tb_…" : "XXXX-XXXX");
    mark($("code"), "autocapitalize", tokens ? "off" : "characters");
  }
  stream.stop();
  wishes.clear();
  board.clear();
  document.title = "twinbridge";
  show($("house"), false);
  show($("login"), true);
  $("code").focus();
}

// post sends JSON; an answer that never comes is status 0.
async function post(path, body) {
  try {
    const answer = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal: AbortSignal.timeout(10000) });
    return { status: answer.status, after: Number(answer.headers.get("Retry-After")), body: answer.status === 200 ? await answer.json() : null };
  } catch {
    return { status: 0 };
  }
}

let blocked = 0;
let tokens = false;

// block counts down until the next try is looked at.
function block(seconds) {
  clearTimeout(blocked);
  const button = $("login-form").querySelector("button");
  button.disabled = seconds > 0;
  set($("code-error"), "textContent", seconds > 0 ? `Too many wrong codes. The next one is looked at in ${seconds} s.` : "");
  if (seconds > 0) blocked = setTimeout(() => block(seconds - 1), 1000);
}

$("login-form").addEventListener("submit", async (e) => {
  e.preventDefault();
  const code = $("code"), button = e.target.querySelector("button");
  if (!code.value.trim() || button.disabled) return code.focus();
  button.disabled = true;
  const { status, after, body } = await post("/v1/login", { code: code.value.trim() });
  button.disabled = false;
  if (status === 200) {
    set($("code-error"), "textContent", "");
    mark(code, "aria-invalid", null);
    return enter(body);
  }
  if (status === 429) return block(after || 60);
  set($("code-error"), "textContent", status === 401 ? (tokens ? "That is neither the code nor a token that is valid now." : "That is not the code that is valid now.") : status ? `It did not work (status ${status}).` : "There is no connection.");
  mark(code, "aria-invalid", "true");
  code.focus();
  code.select();
});

$("logout").addEventListener("click", async () => {
  await post("/v1/logout", {});
  stranger();
});

async function start() {
  try {
    const answer = await fetch("/v1/session");
    if (answer.ok) return enter(await answer.json());
    if (answer.status === 401) return stranger((await answer.json()).takes ?? ["code"]);
  } catch {
    // As below.
  }
  setTimeout(start, 2000);
}

start();
