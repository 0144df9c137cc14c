// The page at a hub: devices of two nodes, people with different roles, and a node that dies and comes back.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { ask, browser, card, check, enter, house, node, open, says, shot, until, visit, wish } from "./house.mjs";
import { contrast, targets } from "./eyes.mjs";

const phone = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true };

const around = (page, text) => until(async () => (await page.locator("#around").textContent()) === text, `the header does not say ${text}`, 15000);

// atNode is what a node itself says of one of its devices.
const atNode = async (name) => (await ask("GET", `/v1/devices/default/${name}`, undefined, house.edge.socket)).json.properties;

// flip presses a switch once the page shows what the node says, and waits until it shows the contrary.
async function flip(page, title, name) {
  const on = (await atNode(name)).powerstatus.actual.value === "ON";
  await says(page, title, on ? /^On$/ : /^Off$/);
  await page.getByRole("switch", { name: title }).click();
  await says(page, title, on ? /^Off$/ : /^On$/);
}

async function token(name, role) {
  const made = await ask("POST", "/v1/tokens", JSON.stringify({ name, role }));
  assert.equal(made.status, 201, made.text);
  return made.json;
}

export default async function () {
  const page = await visit();

  await check("the login says what it takes", async () => {
    await page.locator("#login").waitFor();
    assert.equal(await page.locator("label[for=code]").textContent(), "Code or API token");
    await page.locator("#code").fill("tb_wrong");
    await page.locator("#code").press("Enter");
    await until(async () => /neither the code nor a token/.test(await page.locator("#code-error").textContent()), "no word about the wrong token");
    await shot(page, "login");
    await enter(page);
    assert.equal(await page.locator("#node").textContent(), "Hub");
    await around(page, "2 nodes");
    await until(async () => (await page.locator(".card").count()) === 3, "not all cards are there");
    await page.reload();
    await page.locator("#link[data-link=live]").waitFor({ state: "attached" });
  });

  await check("a switch at the hub moves the lamp at the node", async () => {
    const began = Date.now();
    await page.getByRole("switch", { name: "Hall lamp" }).click();
    await says(page, "Hall lamp", /^On$/);
    const took = Date.now() - began;
    const p = (await atNode("hall")).powerstatus;
    assert.deepEqual([p.actual.value, p.expected.origin], ["ON", "cloud"]);
    return `${took} ms from the press to On`;
  });

  await check("what the house does is seen at once", async () => {
    const began = Date.now();
    await ask("PATCH", "/v1/devices/default/hall/expected?wait=5s", '{"expected":{"powerstatus":"OFF"}}', house.edge.socket);
    await until(async () => (await card(page, "Hall lamp").locator(".say").textContent()) === "Off", "the page does not follow", 1400);
    return `${Date.now() - began} ms from the wish at the node to the hub's page`;
  });

  await check("a device that is offline", async () => {
    await says(page, "Garden socket", /^Offline, never reported$/);
    assert.equal(await page.getByRole("switch", { name: "Garden socket" }).getAttribute("aria-disabled"), "true");
    assert.equal((await wish("socket", { powerstatus: "ON" })).json.outcome, "pending");
    await says(page, "Garden socket", /^Offline, never reported\. A wish waits for it$/);
  });

  await check("the node's own page tells of the hub", async () => {
    const own = await visit({ at: house.edge.url });
    assert.equal(await own.locator("label[for=code]").textContent(), "Code");
    await enter(own, house.edge.code);
    await around(own, "Hub connected");
    await shot(own, "node");
    await own.context().close();
  });

  await check("a viewer looks, and the hub refuses more", async () => {
    const made = await token("hallway", "viewer");
    const eyes = await open({ code: made.secret });
    assert.equal(await eyes.locator("#viewer").isVisible(), true);
    for (const s of await eyes.getByRole("switch").all()) assert.equal(await s.getAttribute("aria-disabled"), "true");
    assert.equal(await eyes.getByRole("slider").isDisabled(), true);
    const status = (method, at, body) => eyes.evaluate(async ([method, at, body]) => (await fetch(at, { method, body, headers: { "Content-Type": "application/json" } })).status, [method, at, body]);
    assert.equal(await status("PATCH", "/v1/devices/default/hall/expected", '{"expected":{"powerstatus":"ON"}}'), 403);
    assert.equal(await status("GET", "/v1/tokens"), 403);
    assert.equal((await atNode("hall")).powerstatus.actual.value, "OFF");
    await shot(eyes, "viewer");

    const began = Date.now();
    assert.equal((await ask("DELETE", `/v1/tokens/${made.id}`)).status, 204);
    await eyes.locator("#login").waitFor();
    const took = Date.now() - began;
    assert.equal(await eyes.locator(".card").count(), 0);
    assert.equal(await status("GET", "/v1/devices"), 401);
    await eyes.context().close();
    return `${took} ms from the revocation to the login`;
  });

  await check("an operator switches, an admin may do more", async () => {
    for (const [role, tokens] of [["operator", 403], ["admin", 200]]) {
      const hand = await open({ code: ` ${(await token(`the ${role}`, role)).secret} ` });
      assert.equal(await hand.locator("#viewer").isVisible(), false);
      await flip(hand, "Hall lamp", "hall");
      assert.equal(await hand.evaluate(async () => (await fetch("/v1/tokens")).status), tokens);
      const last = (await ask("GET", "/v1/audit?limit=1")).json.entries[0];
      assert.deepEqual([last.who, last.action, last.object], [`the ${role}`, "wish", "default/hall"]);
      await hand.context().close();
    }
  });

  await check("a node that dies takes nothing else along, and wishes wait for it", async () => {
    await wish("bench", { powerstatus: "OFF" }, "5s");
    await node("kill", "cellar");
    await says(page, "Workbench", /^Node away since \d.*, was off$/);
    assert.equal(await card(page, "Workbench").getAttribute("data-kind"), "away");
    await around(page, "2 nodes, 1 away");
    await page.getByRole("switch", { name: "Workbench", exact: true }).click();
    await says(page, "Workbench", /^Node away since \d.*, was off\. To be turned on when it is back$/);
    assert.equal(await card(page, "Workbench").locator(".trouble").isVisible(), false);
    await says(page, "Hall lamp", /^O/);
    await shot(page, "away");
  });

  for (const colorScheme of ["light", "dark"]) {
    await check(`phone and desk, ${colorScheme}`, async () => {
      for (const [name, options] of [["phone", phone], ["desk", {}]]) {
        const p = await open({ ...options, colorScheme });
        await around(p, "2 nodes, 1 away");
        assert.equal(await p.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0, "it scrolls sideways");
        assert.deepEqual(await p.evaluate(contrast), [], "too little contrast");
        if (name === "phone") assert.deepEqual(await p.evaluate(targets), [], "too small for a thumb");
        await shot(p, `${name}-${colorScheme}`);
        await p.context().close();
      }
    });
  }

  await check("the node comes back, and does what waited", async () => {
    // What it finds in its folder by now is a name that the cloud has given away, at it and at its neighbour.
    const stove = { apiVersion: "devices.kubeedge.io/v1beta1", kind: "Device", metadata: { name: "stove", annotations: { "twinbridge.dev/room": "Kitchen" } }, spec: { deviceModelRef: { name: "lamp" }, nodeName: "cellar", protocol: { protocolName: "sim" } } };
    const model = { apiVersion: "devices.kubeedge.io/v1beta1", kind: "DeviceModel", metadata: { name: "lamp" }, spec: { protocol: "sim", properties: [{ name: "powerstatus", type: "STRING", accessMode: "ReadWrite" }] } };
    for (const object of [model, stove]) {
      const applied = await ask("POST", "/v1/apply", JSON.stringify(object));
      assert.equal(applied.status, 200, applied.text);
    }
    for (const folder of Object.values(house.folders)) await writeFile(path.join(folder, "devices", "stove.yaml"), JSON.stringify({ ...stove, spec: { ...stove.spec, nodeName: undefined } }));
    await node("start", "cellar");
    await says(page, "Workbench", /^On$/);
    await around(page, "2 nodes");
    await until(async () => (await page.locator(".card[data-kind=away]").count()) === 0, "a card says that its node is away");
  });

  await check("a definition that is not taken says why, on both sides", async () => {
    await says(page, "stove", /^Node cellar does not take the definition: it expected a name that the node does not define itself$/, ".trouble span");
    await shot(page, "trouble");
    const own = await open({ at: house.edge.url, code: house.edge.code });
    const said = () => own.locator("#trouble span").textContent(); // it is asked for every ten seconds
    await until(async () => /^The hub does not take default\/stove: node cellar has a device of that name$/.test(await said()), "the node's page does not say it", 20000);
    await own.context().close();
  });

  await check("over TLS, with the hub's CA", async () => {
    const safe = await visit({ at: house.secure });
    await enter(safe);
    assert.equal(await safe.evaluate(() => isSecureContext), true);
    await flip(safe, "Hall lamp", "hall");
    const port = new URL(house.secure).port;
    const cookies = await safe.context().cookies();
    assert.deepEqual(cookies.map((c) => [c.name, c.secure, c.httpOnly, c.sameSite, c.path]), [[`__Host-twinbridge-${port}`, true, true, "Strict", "/"]]);
    // The same browser at the other address is nobody, and being somebody there changes nothing here.
    const other = await safe.context().newPage();
    await other.goto(house.url);
    await other.locator("#login").waitFor();
    await enter(other);
    await other.getByRole("button", { name: "Log out" }).click();
    await other.locator("#login").waitFor();
    await safe.reload();
    await safe.locator("#link[data-link=live]").waitFor({ state: "attached" });
    await safe.context().close();
    const stranger = await browser.newContext();
    const wrong = await (await stranger.newPage()).goto(house.secure.replace("127.0.0.1", "rebound.test")).catch((e) => String(e));
    assert.match(String(wrong), /ERR_CERT_COMMON_NAME_INVALID/);
    await stranger.close();
  });

  await check("another site's page, and a name that was pointed here", async () => {
    const tab = await page.context().newPage();
    const rebound = await tab.goto(house.url.replace("127.0.0.1", "rebound.test"));
    assert.equal(rebound.status(), 421);
    await tab.goto("data:text/html,<title>elsewhere</title>");
    for (const at of ["/v1/logout", "/v1/wishes"]) {
      const [answer] = await Promise.all([
        tab.waitForNavigation(),
        tab.evaluate((action) => {
          const f = document.createElement("form");
          Object.assign(f, { method: "post", action, enctype: "text/plain" });
          document.documentElement.append(f);
          f.submit();
        }, house.url + at),
      ]);
      assert.equal(answer.status(), 403, at);
      await tab.goto("data:text/html,<title>elsewhere</title>");
    }
    await tab.close();
    assert.equal(await page.evaluate(async () => (await fetch("/v1/session")).status), 200);
  });

  await check("fifty nodes", async () => {
    const p = await visit(phone);
    const device = (i) => ({ namespace: `site-${i % 50}`, name: `lamp${i}`, uid: String(i), node: `site-${i % 50}`, room: ["Hall", "Yard", ""][i % 3], presence: i % 50 === 7 ? "unknown" : "online", nodeAway: i % 50 === 7 ? new Date().toISOString() : undefined, properties: { power: { type: "bool", expected: { value: true, origin: "cloud" }, actual: { value: i % 4 === 0 } } } });
    await p.route("**/v1/session", (r) => r.fulfill({ json: { name: "code", role: "admin" } }));
    await p.route("**/healthz", (r) => r.fulfill({ json: { status: "ok", version: "x", devices: 400, nodes: 50, nodesAway: 1 } }));
    await p.route("**/v1/watch", (r) => r.fulfill({
      contentType: "text/event-stream",
      body: Array.from({ length: 400 }, (_, i) => `event: device\ndata: ${JSON.stringify(device(i))}\n\n`).join("") + "event: ready\ndata: {}\n\n",
    }));
    await p.reload();
    const nodes = p.locator("#nodes");
    await until(async () => (await nodes.locator("option").count()) === 52, "not all nodes are to choose from");
    const names = await nodes.locator("option").allTextContents();
    assert.deepEqual([names[0], names[1], names[2], names[9], names[51]], ["All by room", "All by node", "site-0", "site-7 – away", "site-49"]);
    await nodes.selectOption("site-7 – away");
    await until(async () => (await p.locator(".card:visible").count()) === 8, "other devices are shown");
    assert.equal(await p.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0, "it scrolls sideways");
    assert.deepEqual(await p.evaluate(targets), [], "too small for a thumb");
    await shot(p, "fifty-one");
    await nodes.selectOption("All by node");
    await until(async () => (await p.locator(".room:visible .name").first().textContent()) === "site-0" && (await p.locator(".room").count()) === 50, "they do not stand under their nodes");
    await shot(p, "fifty");
    await p.context().close();
  });

  await check("logging out ends every tab's view", async () => {
    const tab = await page.context().newPage();
    await tab.goto(`${house.url}/`);
    await tab.locator("#link[data-link=live]").waitFor({ state: "attached" });
    await tab.getByRole("button", { name: "Log out" }).click();
    await tab.locator("#login").waitFor();
    await page.locator("#login").waitFor({ timeout: 15000 });
    assert.equal(await page.locator(".card").count(), 0);
  });
}
