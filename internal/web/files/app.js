// The page: who may look, then all devices, live.

import { Board } from "./board.js";
import { mark, set } from "./control.js";
import { Stream } from "./stream.js";
import { Wishes } from "./wishes.js";

const $ = (id) => document.getElementById(id);
const show = (node, yes) => mark(node, "hidden", yes ? null : "");

let where = "twinbridge";

const wishes = new Wishes({
  changed: (key) => board.draw(key),
  origin: (key, prop) => board.get(key)?.properties[prop]?.expected?.origin,
  end(key, prop, text) {
    const card = board.card(key);
    card?.note(text, prop);
    const d = board.get(key);
    if (d && text) say(`${d.title || d.name}: ${text}`);
  },
  stranger,
});

const board = new Board({
  ask: (...wish) => wishes.ask(...wish),
  own: (key) => wishes.of(key),
  counted(n) {
    const parts = [`${n.devices} ${n.devices === 1 ? "device" : "devices"}`];
    if (n.on) parts.push(`${n.on} on`);
    if (n.problems) parts.push(`${n.problems} ${n.problems === 1 ? "problem" : "problems"}`);
    set($("summary"), "textContent", n.complete ? parts.join(" · ") : "Reading…");
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
    where = h.node || "Hub";
    set($("node"), "textContent", where);
    set(document, "title", `${where} – twinbridge`);
    show($("trouble"), Boolean(h.trouble));
    set($("trouble").lastElementChild, "textContent", h.trouble ?? "");
  },
  stranger,
});

// say tells those who do not see the page.
function say(text) {
  $("said").textContent = "";
  requestAnimationFrame(() => { $("said").textContent = text; });
}

function enter(session) {
  board.viewer = session.role === "viewer";
  show($("login"), false);
  show($("house"), true);
  $("code").value = "";
  stream.start();
}

function stranger() {
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
  set($("code-error"), "textContent", status === 401 ? "That is not the code that is valid now." : status ? `It did not work (status ${status}).` : "There is no connection.");
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
    if (answer.status === 401) return stranger();
  } catch {
    // As below.
  }
  setTimeout(start, 2000);
}

start();
