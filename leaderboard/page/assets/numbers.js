// Numbers as text and as small bars. Fractions of 1 are shown in percent.
"use strict";

/** Return a number with one digit, rounded as in Python: halves to the even digit. */
nserbench.oneDigit = (number) => {
  const half = Math.abs((4 * number) % 2) === 1; // exactly .25 or .75
  return (half ? Math.round(5 * number) / 5 : number).toFixed(1);
};

nserbench.percent = (fraction) => nserbench.oneDigit(100 * fraction);

/** Return a difference in percentage points, with its sign. */
nserbench.points = (fraction) => {
  const text = nserbench.percent(Math.abs(fraction));
  if (text === "0.0") return text;
  return (fraction < 0 ? "\u2212" : "+") + text;
};

/** Return a p-value with two digits, or three below 0.1. */
nserbench.pValue = (p) => (p < 0.001 ? "<0.001" : p.toFixed(p < 0.1 ? 3 : 2));

/** Return a number with its noun, as "1 score" and "2 scores". */
nserbench.counted = (number, noun, plural = `${noun}s`) =>
  `${number} ${number === 1 ? noun : plural}`;

/** Return a date such as 2026-11-29 in words, on one line. */
nserbench.date = (text) =>
  new Date(text)
    .toLocaleDateString("en-GB", { dateStyle: "long", timeZone: "UTC" })
    .replaceAll(" ", "\u00a0");

nserbench.plainNumber = (value) => {
  if (Number.isInteger(value)) return String(value);
  return String(Number(value.toPrecision(4)));
};

nserbench.bounds = (low, high) =>
  low === null ? "" : `${nserbench.percent(low)}\u2013${nserbench.percent(high)}`;

nserbench.seconds = (value) => {
  if (value < 120) return `${nserbench.plainNumber(Number(value.toPrecision(3)))} s`;
  if (value < 7200) return `${(value / 60).toFixed(1)} min`;
  return `${(value / 3600).toFixed(1)} h`;
};

nserbench.largeCount = (count) => {
  if (count < 1e4) return String(count);
  return count < 1e6
    ? `${(count / 1e3).toFixed(0)} k`
    : `${(count / 1e6).toFixed(1)} M`;
};

/** Return a value and its interval as marks on a line from `start` to `end`. */
nserbench.bar = (
  value,
  low,
  high,
  [start, end] = [0, 1],
  zero = null,
  wide = false,
) => {
  const { el } = nserbench;
  const position = (x) =>
    `${(100 * (Math.min(Math.max(x, start), end) - start)) / (end - start)}%`;
  const bar = el("span", { class: wide ? "bar wide" : "bar", "aria-hidden": "true" });
  const add = (name, x) => {
    const mark = el("span", { class: name });
    if (x !== null) mark.style.left = position(x);
    bar.append(mark);
    return mark;
  };
  add("ground", null);
  if (zero !== null) add("zero", zero);
  if (low !== null) add("range", low).style.right = `calc(100% - ${position(high)})`;
  add("point", value);
  return bar;
};

/** Return a score with its value, interval and bar. */
nserbench.score = (
  [value, low, high, tied],
  { best = false, few = false, flags = [], seen = "no" } = {},
) => {
  const { el, percent, bounds, bar } = nserbench;
  const nearBest = tied && !best;
  const classes = ["value", best && "best", nearBest && "tied"]
    .filter(Boolean)
    .join(" ");
  const remarks = [
    best && "best of its column",
    nearBest && "not significantly below the best of its column",
    ...flags.map((flag) => `suspect head: ${flag}`),
    seen === "yes" && "the upstream was trained on this corpus",
  ];
  const title = remarks.filter(Boolean).join("; ");
  return el(
    "span",
    { class: "cell", title: title || null },
    el("span", { class: classes }, percent(value)),
    flags.length ? el("span", { class: "suspect" }, "!") : null,
    seen === "yes" ? el("span", { class: "suspect" }, "\u00a7") : null,
    " ",
    el("span", { class: few ? "bounds few" : "bounds" }, bounds(low, high)),
    bar(value, low, high),
  );
};
