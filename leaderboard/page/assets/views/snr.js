// Curves over the SNR: one figure for each corpus, noise and protocol.
"use strict";

(() => {
  const { el, choices } = nserbench;
  const MOST = 8;

  const mean = (scores) =>
    scores.reduce((sum, [value]) => sum + value, 0) / scores.length;

  const lineName = (line) =>
    [line.upstream, line.downstream, line.group].filter(Boolean).join(" \u00d7 ");

  /** Return the lines of ticked rows; if there are none, the best of each upstream. */
  function chosen(lines) {
    const ticked = new Set(
      [...choices.rows].map((row) => nserbench.index.rows[row].join("\n")),
    );
    const tickedLines = lines.filter((line) =>
      ticked.has(`${line.upstream}\n${line.downstream}`),
    );
    if (tickedLines.length) return tickedLines.slice(0, 2 * MOST);
    const meanScore = (line) => mean(line.scores[choices.metric]);
    const best = new Map();
    for (const line of [...lines].sort((a, b) => meanScore(b) - meanScore(a))) {
      const key = `${line.upstream}\n${line.group}`;
      if (!best.has(key)) best.set(key, line);
    }
    return [...best.values()].slice(0, MOST);
  }

  /** Return the lines of each figure: of each corpus, condition and protocol. */
  nserbench.linesByFigure = (lines) => {
    const figures = new Map();
    for (const line of lines) {
      const key = [line.corpus, line.condition, line.protocol].join("\n");
      figures.set(key, [...(figures.get(key) || []), line]);
    }
    return [...figures.values()];
  };

  /** Return a figure of scores as lines. */
  nserbench.lineFigure = (all, title, detail, xName, inverse = false) => {
    const lines = chosen(all);
    const metric = nserbench.index.metrics[choices.metric].title;
    const ticks = [...new Set(lines.flatMap((line) => line.x))].sort((a, b) => a - b);
    const width = ticks[ticks.length - 1] - ticks[0] || 1;
    const points = (line) =>
      line.x.map((x, index) => [x, ...line.scores[choices.metric][index]]);
    const shown =
      lines.length < all.length ? `; ${lines.length} of ${all.length} lines shown` : "";
    const scoreText = ([, value, low, high]) =>
      `${nserbench.percent(value)} ${low === null ? "" : `(${nserbench.bounds(low, high)})`}`;
    return nserbench.figure({
      title,
      detail: `${detail}${shown}`,
      names: lines.length,
      heads: ["", ...ticks.map(String)],
      lines: lines.map((line) => {
        const texts = new Map(
          points(line).map((point) => [point[0], scoreText(point)]),
        );
        return [lineName(line), ...ticks.map((x) => texts.get(x) || "")];
      }),
      options: () => ({
        tooltip: {
          trigger: "item",
          formatter: ({ seriesName, data }) =>
            nserbench.tooltip(seriesName, `${xName} ${data.text}`),
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
        series: lines.flatMap((line, number) =>
          nserbench.lineWithIntervals(
            lineName(line),
            points(line),
            number,
            lines.length,
            width,
          ),
        ),
      }),
    });
  };

  nserbench.lineNote = () =>
    el(
      "p",
      { class: "soft" },
      `Shown: the best row of each upstream, ${MOST} at most, or the rows that you tick in the leaderboard. Vertical bars are 95 % intervals.`,
    );

  nserbench.views.snr = {
    title: "SNR curves",
    filters: true,
    draw(main) {
      const matches = (line) =>
        choices.namesMatch(line.upstream, line.downstream) &&
        choices.columns().some((index) => {
          const column = nserbench.index.columns[index];
          return (
            column.corpus === line.corpus &&
            column.protocol === line.protocol &&
            column.condition.startsWith(`${line.condition}@`)
          );
        });
      const byFigure = nserbench.linesByFigure(nserbench.index.snr.filter(matches));
      if (!byFigure.length) {
        main.append(el("p", {}, "No result that matches the filters is in noise."));
        return;
      }
      const figures = byFigure.map((lines) => {
        const { corpus, condition, protocol } = lines[0];
        return nserbench.lineFigure(
          lines,
          `${corpus}, ${condition}`,
          nserbench.protocol(protocol),
          "SNR in dB",
        );
      });
      main.append(nserbench.lineNote(), el("div", { class: "figures" }, ...figures));
    },
  };
})();
