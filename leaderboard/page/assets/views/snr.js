// Curves over the SNR: one figure for each corpus, noise and protocol.
"use strict";

(() => {
  const { el, choices } = nserbench;
  const MOST = 8;

  const mean = (scores) =>
    scores.reduce((sum, [value]) => sum + value, 0) / scores.length;

  const lineName = (line) =>
    [line.upstream, line.downstream, line.group].filter(Boolean).join(" \u00d7 ");

  /** Keep the lines whose rows are marked, or the best of each upstream. */
  function kept(lines) {
    const marked = new Set(
      [...choices.rows].map((row) => nserbench.index.rows[row].join("\n")),
    );
    const own = lines.filter((line) => marked.has(`${line.upstream}\n${line.downstream}`));
    if (own.length) return own.slice(0, 2 * MOST);
    const worth = (line) => mean(line.scores[choices.metric]);
    const first = new Map();
    for (const line of [...lines].sort((one, other) => worth(other) - worth(one))) {
      const key = `${line.upstream}\n${line.group}`;
      if (!first.has(key)) first.set(key, line);
    }
    return [...first.values()].slice(0, MOST);
  }

  /** Gather lines by what a figure shows. */
  nserbench.linesByPlace = (lines) => {
    const places = new Map();
    for (const line of lines) {
      const key = [line.corpus, line.condition, line.protocol].join("\n");
      places.set(key, [...(places.get(key) || []), line]);
    }
    return [...places.values()];
  };

  /** Make a figure of lines through scores. */
  nserbench.lineFigure = (all, title, detail, xName, inverse = false) => {
    const lines = kept(all);
    const metric = nserbench.index.metrics[choices.metric].title;
    const ticks = [...new Set(lines.flatMap((line) => line.x))].sort((a, b) => a - b);
    const width = ticks[ticks.length - 1] - ticks[0] || 1;
    const points = (line) =>
      line.x.map((x, at) => [x, ...line.scores[choices.metric][at]]);
    const shown =
      lines.length < all.length ? `; ${lines.length} of ${all.length} lines` : "";
    const value = ([, one, low, high]) =>
      `${nserbench.percent(one)} ${low === null ? "" : `(${nserbench.bounds(low, high)})`}`;
    return nserbench.figure({
      title,
      detail: `${detail}${shown}`,
      names: lines.length,
      heads: ["", ...ticks.map(String)],
      lines: lines.map((line) => {
        const at = new Map(points(line).map((point) => [point[0], value(point)]));
        return [lineName(line), ...ticks.map((x) => at.get(x) || "")];
      }),
      options: () => ({
        tooltip: {
          trigger: "item",
          formatter: ({ seriesName, data }) =>
            nserbench.hint(seriesName, `${xName} ${data.said}`),
        },
        xAxis: {
          type: "value",
          name: xName,
          inverse,
          min: ticks[0] - 0.06 * width,
          max: ticks[ticks.length - 1] + 0.06 * width,
          axisLabel: { customValues: ticks },
          axisTick: { customValues: ticks },
        },
        yAxis: { type: "value", name: `${metric}, %`, scale: true },
        series: lines.flatMap((line, place) =>
          nserbench.lineWithBounds(
            lineName(line),
            points(line),
            place,
            lines.length,
            width,
          ),
        ),
      }),
    });
  };

  nserbench.lineHint = () =>
    el(
      "p",
      { class: "soft" },
      `Drawn are the best of each upstream, at most ${MOST}, or the rows that you mark in the leaderboard. Whiskers are 95 % intervals.`,
    );

  nserbench.views.snr = {
    title: "SNR curves",
    filters: true,
    draw(main) {
      const passes = (line) =>
        choices.named(line.upstream, line.downstream) &&
        choices.columns().some((place) => {
          const column = nserbench.index.columns[place];
          return (
            column.corpus === line.corpus &&
            column.protocol === line.protocol &&
            column.condition.startsWith(`${line.condition}@`)
          );
        });
      const found = nserbench.linesByPlace(nserbench.index.snr.filter(passes));
      if (!found.length) {
        main.append(el("p", {}, "No result here is in noise."));
        return;
      }
      const figures = found.map((lines) => {
        const { corpus, condition, protocol } = lines[0];
        return nserbench.lineFigure(
          lines,
          `${corpus}, ${condition}`,
          nserbench.protocol(protocol),
          "SNR in dB",
        );
      });
      main.append(nserbench.lineHint(), el("div", { class: "figures" }, ...figures));
    },
  };
})();
