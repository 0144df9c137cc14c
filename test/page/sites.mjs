// A hub with so many devices on several nodes that one has to look for them.

import assert from "node:assert/strict";
import { ask, card, check, house, node, open, shot, until, wish } from "./house.mjs";

const STILL = 600; // ms that the page may stand still, on a machine of two cores that is busy with a thousand lamps too

export default async function () {
  const n = Number(house.scene.match(/\d+$/)[0]);
  const on = { attic: 0, barn: 0, cellar: 0 };
  Object.keys(on).forEach((name, i, all) => { on[name] = Math.ceil((n - i) / all.length); });
  await until(async () => (await ask("GET", "/healthz")).json.devices === n, "the hub does not know all devices", 60000);
  const began = Date.now();
  const page = await open();
  const visible = () => page.evaluate(() => [...document.querySelectorAll(".card")].filter((c) => !c.closest("[hidden]")).length);
  const nodes = page.locator("#nodes");
  const watch = () => page.evaluate(() => {
    window.long = [];
    new PerformanceObserver((l) => l.getEntries().forEach((e) => window.long.push(Math.round(e.duration)))).observe({ type: "longtask" });
  });
  const long = () => page.evaluate(() => window.long.splice(0));

  await check("all are there", async () => {
    await until(async () => (await page.locator(".card").count()) === n, "not all cards are there", 20000);
    const took = Date.now() - began;
    await until(async () => (await page.locator(".card[data-kind=calm]").count()) >= n * 0.9, "not all devices are online", 40000);
    await until(async () => (await page.locator("#around").textContent()) === "3 nodes", "the header does not say it", 15000); // it is asked for every ten seconds
    return `${took} ms from the first request, login included, to ${n} cards`;
  });

  await check("live", async () => {
    const times = [];
    for (let i = 0; i < 6; i++) {
      const t = Date.now(), want = i % 2 ? "Off" : "On";
      await wish("d0000", { powerstatus: want.toUpperCase() }, "5s");
      await until(async () => (await card(page, "Device 0").locator(".say").textContent()) === want, "the page does not follow");
      times.push(Date.now() - t);
    }
    return `${times.sort((a, b) => a - b)[3]} ms (median) from the wish at the hub to the page`;
  });

  await check("one node, or all under their nodes", async () => {
    const heads = () => page.evaluate(() => [...document.querySelectorAll(".room:not([hidden]) .name")].map((e) => e.textContent));
    assert.equal((await heads()).length, 8);
    await nodes.selectOption("barn");
    await until(async () => (await visible()) === on.barn, "other devices are shown");
    assert.equal(await page.getByRole("button", { name: /^All/ }).textContent(), `All ${on.barn}`);
    assert.match(await page.locator("#counts").textContent(), new RegExp(`^${n} devices`));
    await page.reload(); // it is remembered
    await until(async () => (await page.locator(".card").count()) === n && (await visible()) === on.barn, "the node is forgotten", 20000);
    await page.getByRole("searchbox").fill("device 1");
    const fit = [...Array(n).keys()].filter((i) => i % 3 === 1 && String(i).startsWith("1")).length;
    await until(async () => (await visible()) === fit, "node and search do not go together");
    await page.getByRole("searchbox").fill("");
    await nodes.selectOption("All by node");
    await until(async () => (await heads()).join() === "attic,barn,cellar" && (await visible()) === n, "they do not stand under their nodes");
    assert.equal(await card(page, "Device 1").locator(".foot").textContent(), "Hall");
    await page.reload(); // so is the order
    await until(async () => (await heads()).join() === "attic,barn,cellar" && (await visible()) === n, "it is forgotten", 20000);
    await watch();
    await nodes.selectOption("All by room");
    await until(async () => (await heads()).length === 8 && (await visible()) === n, "they do not stand in their rooms");
    const still = await long(); // all cards move at once, as somebody wished
    assert.ok(Math.max(0, ...still) < 2 * STILL, `the page stood still for ${still} ms`);
    return `long tasks: ${still.length ? still.join(", ") : "none"}`;
  });

  await check("a node with many devices dies", async () => {
    const began = Date.now();
    await node("kill", "cellar");
    await until(async () => (await page.locator(".card[data-kind=away]").count()) === on.cellar, "not all say that their node is away", 15000);
    const took = Date.now() - began, still = await long();
    assert.ok(Math.max(0, ...still) < STILL, `the page stood still for ${still} ms`);
    await until(async () => (await nodes.locator("option").allTextContents()).join() === "All by room,All by node,attic,barn,cellar – away", "the choice does not say it");
    await until(async () => (await page.locator("#around").textContent()) === "3 nodes, 1 away", "the header does not say it", 15000);
    await nodes.selectOption("cellar – away");
    await until(async () => (await visible()) === on.cellar, "other devices are shown");
    await nodes.selectOption("All by room");
    return `${took} ms until ${on.cellar} cards say so; long tasks: ${still.length ? still.join(", ") : "none"}`;
  });

  if (n > 100) return;
  for (const colorScheme of house.kept ? ["light", "dark"] : ["dark"]) {
    await check(`pictures, ${colorScheme}`, async () => {
      for (const [name, options] of [["desk", {}], ["phone", { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2 }]]) {
        const p = await open({ ...options, colorScheme });
        await until(async () => (await p.locator(".card").count()) === n, "not all cards are there", 20000);
        await until(async () => (await p.locator("#around").textContent()) === "3 nodes, 1 away", "no word about the node", 15000);
        assert.equal(await p.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0, "it scrolls sideways");
        await shot(p, `${name}-${colorScheme}`);
        await p.locator("#nodes").selectOption("All by node");
        await until(async () => (await p.locator(".room:visible").count()) === 3, "they do not stand under their nodes");
        await p.locator(".room[data-away] .count").waitFor();
        await p.locator(".room[data-away] h2").evaluate((e) => new Promise((done) => {
          e.scrollIntoView({ block: "start" });
          setTimeout(done, 300);
        }));
        await shot(p, `${name}-${colorScheme}-nodes`);
        await p.context().close();
      }
    });
  }
}
