// Functions that run in the page and look at it as eyes and thumbs do. Each gives what is wrong.

// contrast reports texts with less than 4.5:1 against what is behind them (WCAG 2.2, 1.4.3).
export function contrast() {
  const parse = (text) => {
    const n = text.match(/-?[\d.]+(e-?\d+)?/g).map(Number);
    const unit = text.startsWith("color(") ? 255 : 1;
    return [n[0] * unit, n[1] * unit, n[2] * unit, n[3] ?? 1];
  };
  const over = (a, b) => [0, 1, 2].map((i) => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);
  const light = (c) => {
    const [r, g, b] = c.map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (e) => {
    const own = parse(getComputedStyle(e).backgroundColor);
    return own[3] === 1 ? own : e.parentElement ? over(own, behind(e.parentElement)) : over(own, [255, 255, 255, 1]);
  };
  const bad = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let t = walk.nextNode(); t; t = walk.nextNode()) {
    const e = t.parentElement;
    if (!t.data.trim() || !e.checkVisibility() || e.closest("template, .unseen, .skip, option, noscript")) continue;
    const ground = behind(e);
    const a = light(over(parse(getComputedStyle(e).color), ground)), b = light(ground);
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) bad.push(`${t.data.trim()} (${e.className || e.tagName}): ${ratio.toFixed(2)}`);
  }
  return bad;
}

// targets reports controls that are less than 44 px wide or 40 px high; 24 would do (WCAG 2.2, 2.5.8).
export function targets() {
  const bad = [];
  for (const e of document.querySelectorAll("button, input, select, summary")) {
    if (!e.checkVisibility()) continue;
    const r = e.getBoundingClientRect();
    if (r.height < 40 || r.width < 44) bad.push(`${e.className || e.tagName} ${e.textContent.trim()}: ${Math.round(r.width)}x${Math.round(r.height)}`);
  }
  return bad;
}
