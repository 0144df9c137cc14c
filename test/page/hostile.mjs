// Devices whose names, titles, rooms and values are markup and script to whoever does not take them as text.

import assert from "node:assert/strict";
import { ask, check, open, shot, until, wish } from "./house.mjs";

export default async function () {
  const page = await open({ viewport: { width: 390, height: 844 } });
  const all = (await ask("GET", "/v1/devices")).json.devices;

  await check("names stay text", async () => {
    assert.ok(all.length >= 16);
    await until(async () => (await page.locator(".card").count()) === all.length, "not all cards are there");
    const titles = await page.locator(".card .title").allTextContents();
    const rooms = await page.locator(".room .name").allTextContents();
    for (const d of all) {
      assert.ok(titles.includes(d.title ?? d.name), `${d.title ?? d.name} is not shown as it is`);
      if (d.room) assert.ok(rooms.includes(d.room), `room ${d.room} is not shown as it is`);
    }
  });

  await check("values stay text", async () => {
    const texts = all.filter((d) => d.title && /^h\d+$/.test(d.name)).map((d) => [d.name, d.title]);
    for (const [name, text] of texts) {
      const res = await wish(name, { note: text }, "5s");
      assert.equal(res.json.outcome, "applied", res.text);
    }
    await page.locator(".more").evaluateAll((all) => all.forEach((d) => (d.open = true)));
    for (const [, text] of texts) {
      await until(async () => (await page.locator(".is-text .entry").evaluateAll((all) => all.map((e) => e.value))).includes(text), `${text} is not shown as it is`);
    }
  });

  await check("nothing ran and nothing was asked for", async () => {
    assert.equal(await page.evaluate(() => window.hit), undefined);
    assert.deepEqual(await page.evaluate(() => window.violations), []);
    assert.equal(await page.locator("iframe, script:not([src='/app.js']), #rooms img, #rooms a, #rooms style, base").count(), 0);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0, "long names make it scroll sideways");
    await shot(page, "phone", { fullPage: true });
  });

  await check("the policy holds", async () => {
    page.mayFail = true;
    const stopped = await page.evaluate(() => {
      const tried = [];
      const p = document.createElement("p");
      try { p.innerHTML = "<img src=x onerror='window.hit=9'>"; } catch { tried.push("innerHTML"); }
      const s = document.createElement("script");
      try { s.text = "window.hit=9"; } catch { tried.push("script text"); }
      document.body.append(Object.assign(document.createElement("button"), { id: "planted" }));
      document.getElementById("planted").setAttribute("style", "position:fixed");
      tried.push(getComputedStyle(document.getElementById("planted")).position);
      document.getElementById("planted").remove();
      return tried;
    });
    assert.deepEqual(stopped, ["innerHTML", "script text", "static"]);
    const elsewhere = await page.evaluate(() => fetch("http://127.0.0.1:9/").then(() => "sent", () => "stopped"));
    assert.equal(elsewhere, "stopped");
    await until(() => page.evaluate(() => window.violations.some((v) => v.startsWith("connect-src"))), "no violation was told of a fetch elsewhere");
    assert.equal(await page.evaluate(() => window.hit), undefined);
  });
}
