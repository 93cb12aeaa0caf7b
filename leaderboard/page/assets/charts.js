// Plots: one style, a text alternative for each, drawn again when the colours change.
"use strict";

(() => {
  const { el } = nserbench;
  const SYMBOLS = [
    "circle",
    "rect",
    "triangle",
    "diamond",
    "pin",
    "roundRect",
    "arrow",
  ];
  const HEIGHT = 330; // pixels, without the legend
  const LINE = 22; // of the legend
  const live = new Set();
  const watch = new ResizeObserver((seen) => {
    for (const { target } of seen) echarts.getInstanceByDom(target)?.resize();
  });

  const colour = (name) =>
    getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

  /** Give the colour and the symbol of the n-th line; both tell it from its neighbours. */
  nserbench.look = (place) => {
    const known = nserbench.index.colours;
    const dark = document.documentElement.dataset.theme === "dark";
    const own = known[place % known.length];
    return {
      colour: dark && own === "#000000" ? "#e8eaed" : own,
      symbol: SYMBOLS[place % SYMBOLS.length],
      dash: ["solid", "dashed", "dotted"][Math.floor(place / known.length) % 3],
    };
  };

  const axis = (given) => ({
    nameLocation: "middle",
    nameTextStyle: { color: colour("soft") },
    axisLine: { lineStyle: { color: colour("soft") } },
    splitLine: { lineStyle: { color: colour("line") } },
    ...given,
    axisLabel: { color: colour("soft"), ...given.axisLabel },
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
        itemWidth: 20,
        itemHeight: 9,
        itemGap: LINE - 14,
        icon: names ? undefined : "roundRect",
        textStyle: { color: colour("ink") },
        pageTextStyle: { color: colour("soft") },
        pageIconColor: colour("ink"),
        formatter: (name) => nserbench.cut(name, innerWidth < 600 ? 38 : 64),
      },
      // Rich text is drawn on the canvas, so that no name is ever read as HTML.
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

  /** Let go of all plots; the view that had them is left. */
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
   * Make a figure.
   *
   * `options` gives what ECharts takes, `heads` and `lines` the same numbers as a table.
   * `names` is the number of lines of the legend; 0 sets short names in one line.
   */
  nserbench.figure = ({ title, detail = "", options, heads, lines, names }) => {
    const label = `${title}${detail && `, ${detail}`}: a plot of the numbers below it`;
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
        el("summary", {}, "Numbers"),
        nserbench.plainTable(heads, lines),
      ),
    );
  };

  /**
   * Give the series of a line with its intervals as whiskers; all in percent.
   *
   * Lines stand a hair aside of each other, so that their whiskers do not meet.
   */
  nserbench.lineWithBounds = (name, points, place, of, width) => {
    const { colour: own, symbol, dash } = nserbench.look(place);
    const aside = 0.008 * width * (place - (of - 1) / 2);
    const bounded = points.filter(([, , low]) => low !== null);
    const whiskers = {
      name,
      type: "custom",
      silent: true,
      encode: { x: 0, y: [1, 2] },
      data: bounded.map(([x, , low, high]) => [x + aside, 100 * low, 100 * high]),
      renderItem: (_, api) => {
        const [x, top] = api.coord([api.value(0), api.value(2)]);
        const [, bottom] = api.coord([api.value(0), api.value(1)]);
        const style = { stroke: own, lineWidth: 1.3, opacity: 0.5 };
        return { type: "line", shape: { x1: x, x2: x, y1: top, y2: bottom }, style };
      },
    };
    const line = {
      name,
      type: "line",
      symbol,
      symbolSize: 8,
      lineStyle: { width: 2, type: dash },
      color: own,
      z: 3,
      data: points.map(([x, value, low, high]) => ({
        value: [x + aside, 100 * value],
        said: `${x}: ${nserbench.percent(value)}  ${nserbench.bounds(low, high)}`,
      })),
    };
    return [line, whiskers];
  };

  /** Name a protocol, with what is said of a choice that flatters. */
  nserbench.protocol = (name) => {
    const { head } = nserbench.index.columns.find(({ protocol }) => protocol === name);
    return [name, ...head.slice(2).filter((part) => part !== name)].join(", ");
  };

  /** Give the text of a tooltip; braces would start a style in rich text. */
  nserbench.hint = (...lines) =>
    lines.map((line) => nserbench.cut(line, 60).replaceAll(/[{}|]/g, " ")).join("\n");
})();
