// Figures of scores as lines: which lines are shown, and how they are drawn.
"use strict";

(() => {
  const { el, choices } = nserbench;
  const MOST_ROWS = 8;
  const MOST_LINES = 16;

  const rowKey = ({ upstream, downstream, group }) =>
    [upstream, downstream, group].join("\n");

  const isTicked = (line) =>
    choices.rows.has(
      nserbench.index.rows.findIndex(
        ([upstream, head]) => upstream === line.upstream && head === line.downstream,
      ),
    );

  function meanScore(lines) {
    const scores = lines.flatMap((line) => line.scores[choices.metric]);
    return scores.reduce((sum, [value]) => sum + value, 0) / scores.length;
  }

  const countPoints = (lines) => lines.reduce((sum, line) => sum + line.x.length, 0);

  const grouped = (lines, key) => {
    const groups = new Map();
    for (const line of lines)
      groups.set(key(line), [...(groups.get(key(line)) || []), line]);
    return [...groups.values()];
  };

  /** Return the lines of each corpus and protocol, or by another key. */
  nserbench.linesBy = (lines, ...keys) =>
    grouped(lines, (line) => keys.map((key) => line[key]).join("\n"));

  /**
   * Return the lines that are drawn, row by row.
   *
   * These are those of ticked rows; if there are none, one row of each upstream: the best
   * of those with the most points. With fewer, a row may have left out the loudest noise.
   */
  function chosen(lines) {
    const rows = grouped(lines, rowKey);
    const ticked = rows.filter(([first]) => isTicked(first));
    const most = Math.max(1, Math.floor(MOST_LINES / rows[0].length));
    if (ticked.length) return ticked.slice(0, most);
    const best = new Map();
    const order = (a, b) =>
      countPoints(b) - countPoints(a) || meanScore(b) - meanScore(a);
    for (const row of rows.sort(order)) {
      const key = `${row[0].upstream}\n${row[0].group}`;
      if (!best.has(key)) best.set(key, row);
    }
    return [...best.values()].slice(0, Math.min(most, MOST_ROWS));
  }

  /** Return the name of a line, with its condition where several are overlaid. */
  nserbench.lineName = (line, several = false) => {
    const names = [line.upstream, line.downstream, line.group].filter(Boolean);
    return `${several ? `${line.condition}: ` : ""}${names.join(" \u00d7 ")}`;
  };

  /** Return the points of a line; clean speech stands apart, right of the axis. */
  function pointsOf(line, cleanAt) {
    const metric = choices.metric;
    const points = line.x.map((x, index) => ({
      x,
      label: String(x),
      score: line.scores[metric][index],
    }));
    if (line.clean)
      points.push({
        x: cleanAt,
        label: "clean",
        score: line.clean[metric],
        apart: true,
      });
    return points;
  }

  /** Return the numbers on the axis, with the place of clean speech if there is any. */
  function axisOf(lines) {
    const ticks = [...new Set(lines.flatMap((line) => line.x))].sort((a, b) => a - b);
    const [first, last] = [ticks[0], ticks[ticks.length - 1]];
    const gap = ticks.length > 1 ? (last - first) / (ticks.length - 1) : 1;
    const cleanAt = last + gap;
    const all = lines.some((line) => line.clean) ? [...ticks, cleanAt] : ticks;
    const label = (x) => (x === cleanAt ? "clean" : String(x));
    return { ticks: all, label, cleanAt, width: all[all.length - 1] - first || 1 };
  }

  function scoreText([value, low, high]) {
    const bounds = low === null ? "" : ` (${nserbench.bounds(low, high)})`;
    return `${nserbench.percent(value)}${bounds}`;
  }

  /** Return a figure of scores as lines; `several` says that conditions are overlaid. */
  nserbench.lineFigure = (all, { title, detail, xName, several = false }) => {
    const rows = chosen(all);
    const conditions = [...new Set(all.map((line) => line.condition))];
    const drawn = rows.flatMap((row, number) =>
      row.map((line) => ({
        line,
        name: nserbench.lineName(line, several),
        style: () =>
          nserbench.lineStyle(
            number,
            several ? conditions.indexOf(line.condition) : null,
          ),
      })),
    );
    const lines = drawn.map(({ line }) => line);
    const { ticks, label, cleanAt, width } = axisOf(lines);
    const metric = nserbench.index.metrics[choices.metric].title;
    const shown =
      lines.length < all.length ? `; ${lines.length} of ${all.length} lines shown` : "";
    return nserbench.figure({
      title,
      detail: `${detail}${shown}`,
      names: lines.length,
      heads: ["row", ...ticks.map(label)],
      lines: drawn.map(({ line, name }) => {
        const texts = new Map(
          pointsOf(line, cleanAt).map(({ x, score }) => [x, scoreText(score)]),
        );
        return [name, ...ticks.map((x) => texts.get(x) || "")];
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
          min: ticks[0] - 0.06 * width,
          max: ticks[ticks.length - 1] + 0.06 * width,
          axisLabel: { customValues: ticks, formatter: label },
          axisTick: { customValues: ticks },
        },
        yAxis: { type: "value", name: `${metric}, %`, scale: true },
        series: drawn.flatMap(({ line, name, style }, number) => {
          const shift = 0.008 * width * (number - (drawn.length - 1) / 2);
          return nserbench.lineWithIntervals(
            name,
            pointsOf(line, cleanAt),
            style(),
            shift,
          );
        }),
      }),
    });
  };

  nserbench.lineNote = (more = "") =>
    el(
      "p",
      { class: "soft" },
      `Shown: one row of each upstream, ${MOST_ROWS} at most: the best of those with the most points. Tick rows in the leaderboard to see others. Vertical bars are 95 % intervals.${more}`,
    );
})();
