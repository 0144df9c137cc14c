// A house with so many devices that one has to look for them.

import assert from "node:assert/strict";
import { ask, card, check, house, open, shot, until, wish } from "./house.mjs";

const STILL = 600; // ms that the page may stand still, on a machine of two cores that is busy with a thousand lamps too

export default async function () {
  const n = Number(house.scene.match(/\d+$/)[0]);
  const began = Date.now();
  const page = await open();
  const cards = page.locator(".card");
  await check("all are there", async () => {
    await until(async () => (await cards.count()) === n, "not all cards are there", 20000);
    const took = Date.now() - began;
    await until(async () => (await ask("GET", "/healthz")).json.online >= n * 0.9, "not all devices are online", 40000);
    return `${took} ms from the first request, login included, to ${n} cards`;
  });

  await check("only the card that changes is touched", async () => {
    await page.waitForTimeout(1000);
    await page.evaluate(() => {
      window.touched = new Set();
      window.long = [];
      new MutationObserver((all) => all.forEach((m) => window.touched.add((m.target.closest?.(".card") ?? m.target.parentElement?.closest(".card"))?.querySelector(".title").textContent ?? "none")))
        .observe(document.getElementById("rooms"), { subtree: true, childList: true, attributes: true, characterData: true });
      new PerformanceObserver((l) => l.getEntries().forEach((e) => window.long.push(Math.round(e.duration)))).observe({ type: "longtask" });
    });
    const times = [];
    for (let i = 0; i < 10; i++) {
      const t = Date.now(), want = i % 2 ? "Off" : "On";
      await wish("d0000", { powerstatus: want.toUpperCase() }, "5s");
      await until(async () => (await card(page, "Device 0").locator(".say").textContent()) === want, "the page does not follow");
      times.push(Date.now() - t);
    }
    const { touched, long } = await page.evaluate(() => ({ touched: [...window.touched], long: window.long }));
    assert.deepEqual(touched.filter((t) => t !== "Device 0" && t !== "none"), []);
    assert.ok(Math.max(0, ...long) < STILL, `the page stood still for ${long} ms`);
    return `${times.sort((a, b) => a - b)[5]} ms (median) from the wish to the page; long tasks: ${long.length ? long.join(", ") : "none"}`;
  });

  await check("a hundred at once", async () => {
    const lamps = Array.from({ length: n }, (_, i) => i).filter((i) => i % 6 !== 5 && i % 20 !== 7).slice(0, 100);
    await Promise.all(lamps.map((i) => wish(`d${String(i).padStart(4, "0")}`, { powerstatus: "ON" }, "10s")));
    await until(async () => (await page.locator(".card[data-lit]").count()) >= lamps.length, "not all shine");
    const long = await page.evaluate(() => window.long);
    assert.ok(Math.max(0, ...long) < STILL, `the page stood still for ${long} ms`);
    for (const i of lamps.slice(0, 70)) await wish(`d${String(i).padStart(4, "0")}`, { powerstatus: i % 3 ? "ON" : "OFF" });
    return `long tasks: ${long.length ? long.join(", ") : "none"}`;
  });

  await check("search and filters", async () => {
    const visible = () => page.locator(".card:visible").count();
    const began = Date.now();
    await page.getByRole("searchbox").fill("device 17");
    await until(async () => (await visible()) === [...Array(n).keys()].filter((i) => String(i).startsWith("17")).length, "the search finds others");
    const took = Date.now() - began;
    await page.getByRole("searchbox").fill("no such thing");
    await until(async () => (await visible()) === 0, "something fits");
    assert.equal(await page.locator("#empty").textContent(), "No device fits.");
    await page.getByRole("searchbox").fill("");
    await page.getByRole("button", { name: /^Problems/ }).click();
    const gone = [...Array(n).keys()].filter((i) => i % 20 === 7).length;
    await until(async () => (await visible()) === gone, "the filter shows others");
    assert.equal(await page.getByRole("button", { name: /^Problems/ }).getAttribute("aria-pressed"), "true");
    await page.getByRole("button", { name: /^All/ }).click();
    await until(async () => (await visible()) === n, "not all are back");
    return `${took} ms to search`;
  });

  await check("a device that goes is gone, one that comes is there", async () => {
    const apply = await ask("POST", "/v1/apply", JSON.stringify({ apiVersion: "devices.kubeedge.io/v1beta1", kind: "Device", metadata: { name: "fresh", annotations: { "twinbridge.dev/name": "Fresh lamp", "twinbridge.dev/room": "A new room" } }, spec: { deviceModelRef: { name: "lamp" }, protocol: { protocolName: "sim" } } }));
    assert.equal(apply.status, 200, apply.text);
    await card(page, "Fresh lamp").waitFor({ state: "attached" });
    assert.equal(await page.locator(".room .name").first().textContent(), "A new room");
    assert.equal((await ask("DELETE", "/v1/devices/default/fresh")).status, 204);
    await card(page, "Fresh lamp").waitFor({ state: "detached" });
    assert.equal(await page.locator(".room .name", { hasText: "A new room" }).count(), 0);
  });

  for (const colorScheme of house.kept || n < 100 ? ["light", "dark"] : ["dark"]) {
    await check(`pictures, ${colorScheme}`, async () => {
      for (const [name, viewport] of [["desk", { width: 1280, height: 860 }], ["phone", { width: 390, height: 844 }]]) {
        const p = await open({ viewport, colorScheme });
        await until(async () => (await p.locator(".card").count()) === n, "not all cards are there", 20000);
        assert.equal(await p.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0, "it scrolls sideways");
        await shot(p, `${name}-${colorScheme}`);
        await p.context().close();
      }
    });
  }
}
