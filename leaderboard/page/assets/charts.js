// Plots in one style, each with its numbers as a table, redrawn when the theme changes.
"use strict";

(() => {
  const { el } = nserbench;
  const SYMBOLS = [
    "circle",
    "rect",
    "triangle",
    "diamond",
    "path://M0,0 L10,0 L5,9 Z", // a triangle on its tip
    "path://M3,0 h4 v3 h3 v4 h-3 v3 h-4 v-3 h-3 v-4 h3 Z", // a cross
    "path://M5,0 L10,4 L8,10 L2,10 L0,4 Z", // a pentagon
  ];
  const DASHES = ["solid", "dashed", "dotted", [12, 3, 3, 3], [2, 6]];
  const HEIGHT = 330; // pixels, without the legend
  const LINE = 22; // pixels, of a line of the legend
  const GAP = 8; // pixels, between two of these lines
  const live = new Set();
  const watch = new ResizeObserver((entries) => {
    for (const { target } of entries) echarts.getInstanceByDom(target)?.resize();
  });

  const colour = (name) =>
    getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

  /**
   * Return the colour, symbol and dashes of the n-th line; neighbours differ.
   *
   * Lines of one colour differ in symbol and dashes by their `variant`.
   */
  nserbench.lineStyle = (number, variant = null) => {
    const { colours } = nserbench.index;
    const dark = document.documentElement.dataset.theme === "dark";
    const chosen = colours[number % colours.length];
    const dash = variant ?? Math.floor(number / colours.length);
    return {
      colour: dark && chosen === "#000000" ? "#e8eaed" : chosen,
      symbol: SYMBOLS[(variant ?? number) % SYMBOLS.length],
      dash: DASHES[dash % DASHES.length],
    };
  };

  const axis = (options) => ({
    nameLocation: "middle",
    nameTextStyle: { color: colour("soft") },
    axisLine: { lineStyle: { color: colour("soft") } },
    splitLine: { lineStyle: { color: colour("line") } },
    ...options,
    axisLabel: { color: colour("soft"), ...options.axisLabel },
  });

  function styled({ xAxis, yAxis, ...rest }, names) {
    return {
      animation: false,
      textStyle: { fontFamily: getComputedStyle(document.documentElement).fontFamily },
      grid: { left: 54, right: 18, top: 14, bottom: 52 + LINE * Math.max(names, 1) },
      legend: {
        type: names ? "plain" : "scroll",
        orient: names ? "vertical" : "horizontal",
        left: names ? 46 : "center",
        bottom: 0,
        itemWidth: rest.series.some(({ type }) => type === "scatter") ? 12 : 20,
        itemHeight: 9,
        itemGap: GAP,
        icon: names ? undefined : "roundRect",
        textStyle: { color: colour("ink"), lineHeight: LINE - GAP },
        pageTextStyle: { color: colour("soft") },
        pageIconColor: colour("ink"),
        formatter: (name) => nserbench.cut(name, innerWidth < 600 ? 38 : 64),
      },
      // Rich text is drawn on the canvas, so that no name can be read as HTML.
      tooltip: {
        renderMode: "richText",
        confine: true,
        backgroundColor: colour("panel"),
        borderColor: colour("line"),
        textStyle: { color: colour("ink"), fontSize: 13 },
        ...rest.tooltip,
      },
      xAxis: axis({ nameGap: 28, splitLine: { show: false }, ...xAxis }),
      yAxis: axis({ nameGap: 38, axisLine: { show: false, onZero: false }, ...yAxis }),
      series: rest.series,
    };
  }

  function start(holder, options, names) {
    const plot = echarts.init(holder, null, {
      renderer: "canvas",
      devicePixelRatio: Math.max(2, devicePixelRatio),
    });
    plot.setOption(styled(options(), names));
    live.add({ plot, options, names });
    watch.observe(holder);
  }

  /** Remove all plots, when another view opens. */
  nserbench.dropCharts = () => {
    for (const { plot } of live) plot.dispose();
    watch.disconnect();
    live.clear();
  };

  document.addEventListener("theme", () => {
    for (const { plot, options, names } of live)
      plot.setOption(styled(options(), names), true);
  });

  /**
   * Return a plot, with its numbers as a table below it.
   *
   * `options` returns the options of ECharts; `heads` and `lines` are the table. `names`
   * is the number of lines of the legend; 0 puts short names into one line.
   */
  nserbench.figure = ({ title, detail = "", options, heads, lines, names }) => {
    const label = `${title}${detail && `, ${detail}`}: a plot of the numbers in the table below it`;
    const holder = el("div", { class: "chart", role: "img", "aria-label": label });
    holder.style.height = `${HEIGHT + LINE * Math.max(names, 1)}px`;
    requestAnimationFrame(() => holder.isConnected && start(holder, options, names));
    return el(
      "figure",
      {},
      el(
        "figcaption",
        {},
        title,
        detail && el("span", { class: "soft" }, ` ${detail}`),
      ),
      holder,
      el(
        "details",
        {},
        el("summary", {}, "Numbers as a table"),
        nserbench.plainTable(heads, lines),
      ),
    );
  };

  /**
   * Return a line with bars for its 95 % intervals, in percent.
   *
   * Points have `x`, `label`, `score`, and `apart` if no line leads to them. Each line
   * is shifted a little, so that bars of different lines do not overlap.
   */
  nserbench.lineWithIntervals = (name, points, style, shift) => {
    const bounded = points.filter(({ score: [, low] }) => low !== null);
    const bars = {
      name,
      type: "custom",
      silent: true,
      encode: { x: 0, y: [1, 2] },
      data: bounded.map(({ x, score: [, low, high] }) => [
        x + shift,
        100 * low,
        100 * high,
      ]),
      renderItem: (_, api) => {
        const [x, top] = api.coord([api.value(0), api.value(2)]);
        const [, bottom] = api.coord([api.value(0), api.value(1)]);
        const bar = { stroke: style.colour, lineWidth: 1.3, opacity: 0.5 };
        return {
          type: "line",
          shape: { x1: x, x2: x, y1: top, y2: bottom },
          style: bar,
        };
      },
    };
    const lineOf = (some) => ({
      name,
      type: "line",
      symbol: style.symbol,
      symbolSize: 8,
      lineStyle: { width: 2, type: style.dash },
      color: style.colour,
      z: 3,
      data: some.map(({ x, label, score: [value, low, high] }) => ({
        value: [x + shift, 100 * value],
        text: `${label}: ${nserbench.percent(value)}  ${nserbench.bounds(low, high)}`,
      })),
    });
    const apart = points.filter((point) => point.apart);
    return [
      lineOf(points.filter((point) => !point.apart)),
      ...(apart.length ? [lineOf(apart)] : []),
      bars,
    ];
  };

  /** Return the name of a protocol, with a warning if its scores are too optimistic. */
  nserbench.protocol = (name) => {
    const { head } = nserbench.index.columns.find(({ protocol }) => protocol === name);
    return [name, ...head.slice(2).filter((part) => part !== name)].join(", ");
  };

  /** Return the text of a tooltip; in rich text, braces would start a style. */
  nserbench.tooltip = (...lines) =>
    lines.map((line) => nserbench.cut(line, 60).replaceAll(/[{}|]/g, " ")).join("\n");
})();
