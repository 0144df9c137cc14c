// What the checks share: the house that they are told of, its socket, and the browser.

import assert from "node:assert/strict";
import http from "node:http";
import path from "node:path";
import { chromium } from "playwright-core";

export const house = JSON.parse(process.env.HOUSE);

// ask speaks to the node through its socket, as somebody else in the house.
export function ask(method, at, body, socketPath = house.socket) {
  return new Promise((done, failed) => {
    const req = http.request({ socketPath, method, path: at, headers: { "Content-Type": "application/json" } }, (res) => {
      let text = "";
      res.on("data", (d) => (text += d));
      res.on("end", () => done({ status: res.statusCode, text, json: text && JSON.parse(text) }));
    });
    req.on("error", failed);
    req.end(body);
  });
}

export const wish = (name, expected, wait = "0s") => ask("PATCH", `/v1/devices/default/${encodeURIComponent(name)}/expected?wait=${wait}`, typeof expected === "string" ? expected : JSON.stringify({ expected }));

// actual waits until a device really shows a value.
export async function actual(name, prop, value) {
  let got;
  await until(async () => {
    got = (await ask("GET", `/v1/devices/default/${encodeURIComponent(name)}`)).json.properties[prop]?.actual?.value;
    return got === value;
  }, () => `${name}: ${prop} is ${got}, want ${value}`);
}

// node kills or starts a node of a hub.
export async function node(act, name) {
  const answer = await fetch(`${house.keeper}/${act}/${name}`);
  assert.ok(answer.ok, await answer.text());
}

export async function until(ok, what, limit = 8000) {
  const end = Date.now() + limit;
  while (!(await ok())) {
    if (Date.now() > end) assert.fail(`not within ${limit} ms: ${typeof what === "function" ? what() : what}`);
    await new Promise((r) => setTimeout(r, 25));
  }
}

export const browser = await chromium.launch({ executablePath: house.browser, args: ["--no-sandbox", "--disable-dev-shm-usage", "--host-resolver-rules=MAP rebound.test 127.0.0.1"], env: { ...process.env, HOME: house.home } });

// Answers that say no are told on the console by the browser itself; these are what the page is made for.
const expectedNo = /^Failed to load resource: the server responded with a status of (401|403|409|422|429) /;

// complaints are what a page that works has none of.
export const complaints = [];

// visit opens the page in a browser of its own.
export async function visit({ at = house.url, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, ...options });
  await context.addInitScript(() => {
    window.violations = [];
    document.addEventListener("securitypolicyviolation", (e) => window.violations.push(`${e.violatedDirective} ${e.blockedURI} ${e.sample}`));
  });
  context.setDefaultTimeout(8000);
  const page = await context.newPage();
  page.on("console", (m) => {
    if (["error", "warning"].includes(m.type()) && !expectedNo.test(m.text()) && !page.mayFail) complaints.push(`console: ${m.text()} ${m.location().url}`);
  });
  page.on("pageerror", (e) => complaints.push(`error: ${e.stack}`));
  page.on("dialog", (d) => { complaints.push(`dialog: ${d.message()}`); d.dismiss(); });
  page.on("request", (r) => { if (!r.url().startsWith(at + "/")) complaints.push(`request elsewhere: ${r.url()}`); });
  await page.goto(`${at}/`);
  return page;
}

export async function enter(page, code = house.code) {
  await page.locator("#code").fill(code);
  await page.locator("#code").press("Enter");
  await page.locator("#link[data-link=live]").waitFor({ state: "attached" });
  await page.locator("#counts", { hasText: /device/ }).waitFor({ timeout: 20000 }); // all that is there is drawn
}

export async function open({ code, ...options } = {}) {
  const page = await visit(options);
  await enter(page, code);
  return page;
}

export const shot = (page, name, options) => page.screenshot({ path: path.join(house.shots, `${house.scene}-${name}.png`), ...options });

// card finds a device's card by its title.
export const card = (page, title) => page.locator(".card").filter({ has: page.locator(".title", { hasText: new RegExp(`^${title.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}$`) }) });

// says waits until a part of a card says something.
export async function says(page, title, text, part = ".say") {
  const node = card(page, title).locator(part).first();
  let got = "";
  await until(async () => (got = await node.textContent()).match(text), () => `${title}: ${part} says ${JSON.stringify(got)}, want ${text}`);
  return got;
}

// press presses a device's switch and gives what is shown then, in the same breath: what is pending is soon over.
export const press = (page, title) => page.getByRole("switch", { name: title }).evaluate((s) => {
  s.click();
  const card = s.closest(".card");
  return { say: card.querySelector(".say").textContent, kind: card.dataset.kind, busy: s.getAttribute("aria-busy"), look: s.dataset.look, turns: getComputedStyle(s.querySelector(".knob")).animationName };
});

let wrong = 0;

// check runs one check and tells how it went; the others run all the same.
export async function check(name, run) {
  const before = complaints.length;
  let failed = "", note = "";
  try {
    note = (await run()) ?? "";
    assert.deepEqual(complaints.slice(before), [], "the browser complained");
  } catch (e) {
    failed = String(e.stack ?? e);
    wrong++;
  }
  console.log(JSON.stringify({ check: name, failed, note: String(note) }));
}

export async function finish() {
  await browser.close();
  process.exitCode = wrong ? 1 : 0;
}
