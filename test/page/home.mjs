// A house with a handful of devices, of which some do not do what they should.

import assert from "node:assert/strict";
import { actual, ask, card, check, enter, house, open, press, says, shot, until, visit, wish } from "./house.mjs";
import { contrast, targets } from "./eyes.mjs";

const phone = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true };

export default async function () {
  await check("a wrong code is refused, the right one opens", async () => {
    const page = await visit();
    await page.locator("#login").waitFor();
    assert.equal(await page.locator(".card").count(), 0);
    await page.locator("#code").fill("0000-0000");
    await page.getByRole("button", { name: "Open" }).click();
    await until(async () => /not the code/.test(await page.locator("#code-error").textContent()), "no word about the wrong code");
    assert.equal(await page.locator("#code").getAttribute("aria-invalid"), "true");
    await shot(page, "login-wrong");
    await enter(page, house.code.toLowerCase().replace("-", " "));
    assert.equal(await page.locator("#node").textContent(), "cottage");
    assert.match(await page.locator("#summary").textContent(), /^8 devices/);
    await page.reload(); // the session is there still
    await page.locator("#link[data-link=live]").waitFor({ state: "attached" });
    await page.context().close();
  });

  const page = await open();

  await check("a switch moves the lamp", async () => {
    const lamp = page.getByRole("switch", { name: "Hall lamp" });
    await lamp.click();
    await actual("hall", "powerstatus", "ON");
    await says(page, "Hall lamp", /^On$/);
    assert.equal(await lamp.getAttribute("aria-checked"), "true");
    assert.equal(await card(page, "Hall lamp").getAttribute("data-lit"), "true");
    const d = (await ask("GET", "/v1/devices/default/hall")).json;
    assert.equal(d.properties.powerstatus.expected.origin, "local");
  });

  await check("what others do is seen at once", async () => {
    const began = Date.now();
    await wish("hall", { powerstatus: "OFF" }, "5s");
    await until(async () => (await card(page, "Hall lamp").locator(".say").textContent()) === "Off", "the page does not follow", 2000);
    return `${Date.now() - began} ms from the wish to the page`;
  });

  await check("each press flips what is shown, however quick", async () => {
    // The first request dawdles, so that the second one could overtake it.
    const sent = [];
    await page.route("**/hall/expected*", async (r) => {
      sent.push(r.request().postDataJSON().expected.powerstatus);
      if (sent.length === 1) await page.waitForTimeout(300);
      await r.continue();
    });
    const answered = [];
    page.on("response", (r) => r.request().method() === "PATCH" && answered.push(r.status()));
    const lamp = page.getByRole("switch", { name: "Hall lamp" });
    // Both within one frame.
    const shown = await lamp.evaluate((s) => [0, 1].map(() => { s.click(); return s.getAttribute("aria-checked"); }));
    assert.deepEqual(shown, ["true", "false"]);
    await until(() => answered.length === 2, () => `${sent} were sent, the answers were ${answered}`);
    await page.unroute("**/hall/expected*");
    assert.deepEqual(sent, ["ON", "OFF"]);
    await actual("hall", "powerstatus", "OFF");
    await says(page, "Hall lamp", /^Off$/);
  });

  await check("pending is told from done", async () => {
    const { say, kind, busy } = await press(page, "Workshop");
    assert.deepEqual([say, kind, busy], ["Turning on…, is off", "pending", "true"]);
    await shot(page, "pending");
    await says(page, "Workshop", /^On$/);
    assert.equal(await page.getByRole("switch", { name: "Workshop" }).getAttribute("aria-busy"), null);
  });

  await check("who is overruled is told by whom", async () => {
    const pressed = press(page, "Workshop");
    // The node has to be asked, at once: the lamp takes no longer than its delay.
    await until(async () => (await ask("GET", "/v1/devices/default/slow")).json.properties.powerstatus.expected.value === "OFF", "the press does not reach the node");
    await wish("slow", { powerstatus: "ON" });
    assert.match((await pressed).say, /^Turning off…/);
    await says(page, "Workshop", /^Overruled by somebody else at the node$/, ".note span");
    await card(page, "Workshop").getByRole("button", { name: "Dismiss" }).click();
    assert.equal(await card(page, "Workshop").locator(".note").isVisible(), false);
  });

  await check("a press that fails says so", async () => {
    await page.getByRole("switch", { name: "Porch light" }).click();
    await says(page, "Porch light", /^It did not work: /, ".note span");
    // It is read out with the next frame.
    await until(async () => /^Porch light: It did not work/.test(await page.locator("#said").textContent()), "it is not read out");
  });

  await check("trouble stands on the card", async () => {
    await wish("stuck", { powerstatus: "ON" });
    await says(page, "Porch light", /^powerstatus: the device shows OFF after ON was written$/, ".trouble span");
    assert.equal(await card(page, "Porch light").locator(".trouble").isVisible(), true);
    await until(async () => /problem/.test(await page.locator("#summary").textContent()), "the header does not count it");
  });

  await check("offline, and never heard of", async () => {
    await says(page, "Garden socket", /^Offline, never reported$/);
    const off = page.getByRole("switch", { name: "Garden socket" });
    assert.equal(await off.getAttribute("aria-disabled"), "true");
    const asked = [];
    page.on("request", (r) => r.method() === "PATCH" && asked.push(r.url()));
    await off.click({ force: true });
    await says(page, "Foreign relay", /^Never reported$/);
    assert.deepEqual(asked, []);
    assert.equal(await page.locator(".card[data-kind=offline] .sign").count(), 1);
  });

  await check("what is refused says what was expected", async () => {
    const d = card(page, "Klimaanlage");
    await d.locator("summary").click();
    const setpoint = d.getByRole("textbox", { name: "Klimaanlage Setpoint" });
    await setpoint.fill("warm");
    await setpoint.press("Enter");
    const said = await says(page, "Klimaanlage", /^Setpoint: Refused: .*expected/, ".note span");
    await until(async () => (await setpoint.inputValue()) === "0", "the field keeps what was refused");
    return said;
  });

  await check("sliders, numbers, words and texts reach the device", async () => {
    const bright = page.getByRole("slider", { name: "Dining table Brightness" });
    await bright.focus();
    await bright.press("PageUp");
    await actual("table", "brightness", 10);
    assert.equal(await bright.getAttribute("aria-valuetext"), "10\u202f%");
    await page.getByRole("combobox", { name: "Dining table Effect" }).selectOption("FIRE");
    await actual("table", "effect", "FIRE");
    const d = card(page, "Klimaanlage");
    const setpoint = d.getByRole("textbox", { name: "Klimaanlage Setpoint" });
    await setpoint.fill("-9007199254740993");
    await setpoint.press("Enter");
    await until(async () => /"actual":{"value":"-9007199254740993"/.test((await ask("GET", "/v1/devices/default/climate")).text), "a big number is not exact on its way there");
    await until(async () => (await setpoint.inputValue()) === "-9007199254740993", "a big number is not exact on its way back");
    const note = d.getByRole("textbox", { name: "Klimaanlage Note" });
    await note.fill("größer <b>& \"besser\"</b> 客厅");
    await note.press("Enter");
    await actual("climate", "note", "größer <b>& \"besser\"</b> 客厅");
    await d.getByRole("switch", { name: "Klimaanlage Valve" }).click();
    await actual("climate", "valve", "OPEN");
    await d.getByRole("combobox", { name: "Klimaanlage Side" }).selectOption("RIGHT");
    await actual("climate", "side", "RIGHT");
    const warm = d.getByRole("slider", { name: "Klimaanlage Target temperature" });
    await warm.focus();
    await warm.press("End");
    await actual("climate", "targetTemperature", 30);
    await page.getByRole("switch", { name: "Klimaanlage", exact: true }).click();
    await actual("climate", "boost", true);
  });

  await check("what is being typed is not taken away", async () => {
    const note = card(page, "Klimaanlage").getByRole("textbox", { name: "Klimaanlage Note" });
    await note.fill("half a wo");
    await wish("climate", { note: "from elsewhere", setpoint: 7 }, "5s");
    await until(async () => (await card(page, "Klimaanlage").getByRole("textbox", { name: "Klimaanlage Setpoint" }).inputValue()) === "7", "no news");
    assert.equal(await note.inputValue(), "half a wo");
    await note.press("Escape");
    await note.blur();
    await until(async () => (await note.inputValue()) === "from elsewhere", "Escape brings nothing back");
  });

  await check("keyboard alone is enough", async () => {
    const keys = await visit();
    await keys.locator("#code:focus").waitFor();
    await keys.keyboard.type(house.code);
    await keys.keyboard.press("Enter");
    await keys.locator("#counts", { hasText: /device/ }).waitFor();
    const seen = [];
    for (let i = 0; i < 40; i++) {
      await keys.keyboard.press("Tab");
      const at = await keys.evaluate(() => {
        const e = document.activeElement, s = getComputedStyle(e);
        const name = e.getAttribute("aria-labelledby")?.split(" ").map((id) => document.getElementById(id).textContent).join(" ") ?? e.getAttribute("aria-label") ?? e.textContent;
        return e === document.body ? {} : { name: name.trim(), ring: parseFloat(s.outlineWidth), style: s.outlineStyle };
      });
      if (!at.name) break; // round once
      assert.ok(at.ring >= 2 && at.style !== "none", `no ring around ${at.name}`);
      seen.push(at.name);
      if (at.name === "Hall lamp") {
        await keys.keyboard.press("Space");
        await actual("hall", "powerstatus", "ON");
        await keys.keyboard.press("Enter");
        await actual("hall", "powerstatus", "OFF");
      }
    }
    for (const name of ["Skip to the devices", "Log out", "Hall lamp", "Dining table Brightness", "Klimaanlage Mode"]) assert.ok(seen.includes(name), `${name} is not reached: ${seen.join(", ")}`);
    await keys.context().close();
  });

  for (const colorScheme of ["light", "dark"]) {
    await check(`phone and desk, ${colorScheme}`, async () => {
      const small = await open({ ...phone, colorScheme });
      const wide = await open({ colorScheme });
      for (const p of [small, wide]) {
        assert.equal(await p.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0, "it scrolls sideways");
        assert.deepEqual(await p.evaluate(contrast), [], "too little contrast");
      }
      assert.deepEqual(await small.evaluate(targets), [], "too small for a thumb");
      await shot(small, `phone-${colorScheme}`, { fullPage: true });
      await shot(wide, `desk-${colorScheme}`);
      await small.context().close();
      await wide.context().close();
    });
  }

  await check("reduced motion, and a narrow screen with large text", async () => {
    const still = await open({ reducedMotion: "reduce", viewport: { width: 320, height: 640 } });
    const { look, turns } = await press(still, "Workshop");
    assert.deepEqual([look, turns], ["pending", "none"]);
    await still.evaluate(() => { document.documentElement.style.fontSize = "200%"; });
    assert.ok((await still.evaluate(() => document.documentElement.scrollWidth)) <= 320, "it scrolls sideways");
    await still.context().close();
  });

  await check("several nodes are named, a viewer only looks", async () => {
    const page = await visit();
    const device = (name, node) => ({ namespace: "default", name, uid: name, node, presence: "online", properties: { power: { type: "bool", expected: { value: true, origin: "cloud" }, actual: { value: true } } } });
    await page.route("**/v1/session", (r) => r.fulfill({ json: { role: "viewer" } }));
    await page.route("**/healthz", (r) => r.fulfill({ json: { status: "ok", version: "x", devices: 2, online: 2, pending: 0 } }));
    await page.route("**/v1/watch", (r) => r.fulfill({
      contentType: "text/event-stream",
      body: [device("one", "cellar"), device("two", "attic")].map((d) => `event: device\ndata: ${JSON.stringify(d)}\n\n`).join("") + "event: ready\ndata: {}\n\n",
    }));
    await page.reload();
    await says(page, "one", /^on cellar$/, ".foot");
    await says(page, "two", /^on attic$/, ".foot");
    assert.equal(await page.getByRole("switch", { name: "one" }).getAttribute("aria-disabled"), "true");
    await page.context().close();
  });

  await check("a node that hangs is noticed, and its return too", async () => {
    page.mayFail = true;
    process.kill(house.pid, "SIGSTOP");
    try {
      await page.locator("#lost").waitFor({ timeout: 25000 });
      assert.match(await page.locator("#lost").textContent(), /may be old/);
      await shot(page, "lost");
      await page.getByRole("switch", { name: "Hall lamp" }).click();
    } finally {
      process.kill(house.pid, "SIGCONT");
    }
    await page.locator("#lost").waitFor({ state: "hidden", timeout: 40000 });
    await page.locator("#link[data-link=live]").waitFor({ state: "attached" });
    page.mayFail = false;
  });

  await check("logging out ends every tab's view", async () => {
    const tab = await page.context().newPage();
    await tab.goto(`${house.url}/`);
    await tab.locator("#link[data-link=live]").waitFor({ state: "attached" });
    await tab.getByRole("button", { name: "Log out" }).click();
    await tab.locator("#login").waitFor();
    await page.locator("#login").waitFor({ timeout: 15000 });
    assert.equal(await page.locator(".card").count(), 0);
    assert.equal(await page.evaluate(async () => (await fetch("/v1/devices")).status), 401);
  });

  await check("guessing is slowed down", async () => {
    const guess = await visit();
    const answers = [];
    while (answers.at(-1) !== 429 && answers.length < 7) {
      await guess.locator("#login-form button:enabled").waitFor();
      await guess.locator("#code").fill(`guess ${answers.length}`);
      const [answer] = await Promise.all([guess.waitForResponse("**/v1/login"), guess.locator("#code").press("Enter")]);
      answers.push(answer.status());
    }
    assert.ok(answers.length <= 6 && answers.pop() === 429 && answers.every((a) => a === 401), String(answers)); // the first check guessed too
    await until(async () => /next one is looked at in \d+ s/.test(await guess.locator("#code-error").textContent()), "not slowed down");
    assert.equal(await guess.getByRole("button", { name: "Open" }).isDisabled(), true);
    await shot(guess, "guess");
  });
}
