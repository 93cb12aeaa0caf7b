// Numbers as text and as small bars. Data are fractions of 1, shown in percent.
"use strict";

/** A number with one digit as Python writes it: halves go to the even digit. */
nserbench.oneDigit = (number) => {
  const half = Math.abs((4 * number) % 2) === 1; // exactly .25 or .75
  return (half ? Math.round(5 * number) / 5 : number).toFixed(1);
};

nserbench.percent = (fraction) => nserbench.oneDigit(100 * fraction);

/** A difference in points, with its sign. */
nserbench.points = (fraction) => {
  const text = nserbench.percent(Math.abs(fraction));
  if (text === "0.0") return text;
  return (fraction < 0 ? "\u2212" : "+") + text;
};

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

nserbench.many = (count) => {
  if (count < 1e4) return String(count);
  return count < 1e6
    ? `${(count / 1e3).toFixed(0)} k`
    : `${(count / 1e6).toFixed(1)} M`;
};

/** A value and its interval as marks on a line from `start` to `end`. */
nserbench.bar = (
  value,
  low,
  high,
  [start, end] = [0, 1],
  zero = null,
  wide = false,
) => {
  const { el } = nserbench;
  const at = (x) =>
    `${(100 * (Math.min(Math.max(x, start), end) - start)) / (end - start)}%`;
  const bar = el("span", { class: wide ? "bar wide" : "bar", "aria-hidden": "true" });
  const add = (name, x) => {
    const mark = el("span", { class: name });
    if (x !== null) mark.style.left = at(x);
    bar.append(mark);
    return mark;
  };
  add("ground", null);
  if (zero !== null) add("zero", zero);
  if (low !== null) add("range", low).style.right = `calc(100% - ${at(high)})`;
  add("point", value);
  return bar;
};

/** A score as a reader wants it: value, interval, bar. */
nserbench.score = (
  [value, low, high, tied],
  { best = false, few = false, flags = [] } = {},
) => {
  const { el, percent, bounds, bar } = nserbench;
  const near = tied && !best;
  const names = ["value", best && "best", near && "tied"].filter(Boolean).join(" ");
  const said = [
    best && "best of its column",
    near && "not significantly below the best",
    ...flags,
  ];
  const title = said.filter(Boolean).join("; ");
  return el(
    "span",
    { class: "cell", title: title || null },
    el("span", { class: names }, percent(value)),
    flags.length ? el("span", { class: "suspect" }, "!") : null,
    " ",
    el("span", { class: few ? "bounds few" : "bounds" }, bounds(low, high)),
    bar(value, low, high),
  );
};
