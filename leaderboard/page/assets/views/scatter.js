// Two scatter plots: scores over word error rates, and scores over times.
"use strict";

(() => {
  const { el, choices } = nserbench;

  const isMeasured = (key) => (cell) => cell.scores && cell.measured[key];

  /** Return the cells that match the filters and have a score and a measured value. */
  function cellsWith(key) {
    const rows = new Set(choices.rowIndices());
    const columns = new Set(choices.columns());
    return nserbench.index.cells.filter(
      (cell) => isMeasured(key)(cell) && rows.has(cell.row) && columns.has(cell.column),
    );
  }

  const score = (cell) => cell.scores[choices.metric];
  const upstream = (cell) => nserbench.index.rows[cell.row][0];
  const head = (cell) => nserbench.index.rows[cell.row][1];
  const columnName = (cell) => nserbench.index.columns[cell.column].head.join(" ");

  function series(shown, measure) {
    const names = [...new Set(shown.map(upstream))];
    return names.map((name, number) => {
      const { colour, symbol } = nserbench.lineStyle(number);
      return {
        name,
        type: "scatter",
        symbol,
        symbolSize: 11,
        itemStyle: { color: colour, opacity: 0.85 },
        data: shown
          .filter((cell) => upstream(cell) === name)
          .map((cell) => ({ value: [measure(cell), 100 * score(cell)[0]], cell })),
      };
    });
  }

  const metric = () => nserbench.index.metrics[choices.metric].title;

  /** Return the names of the corpus and the protocol of a cell. */
  function study(cell) {
    const { corpus, protocol } = nserbench.index.columns[cell.column];
    return `${corpus}, ${nserbench.protocol(protocol)}`;
  }

  function errorFigure(shown) {
    const measure = shown[0].measured.rate[0];
    const rate = (cell) => 100 * cell.measured.rate[1];
    return nserbench.figure({
      title: `${metric()} over ${measure}`,
      detail: `${study(shown[0])}: ${shown.length} cells`,
      names: new Set(shown.map(upstream)).size,
      heads: ["cell", `${measure}, %`, `${metric()}, %`],
      lines: shown.map((cell) => [
        `${upstream(cell)} \u00d7 ${head(cell)}, ${columnName(cell)}`,
        rate(cell).toFixed(1),
        nserbench.percent(score(cell)[0]),
      ]),
      options: () => ({
        tooltip: {
          formatter: ({ data: { cell } }) =>
            nserbench.tooltip(
              upstream(cell),
              head(cell),
              columnName(cell),
              `${measure} ${rate(cell).toFixed(1)} %, ${metric()} ${nserbench.percent(score(cell)[0])} %`,
            ),
        },
        xAxis: { type: "value", name: `${measure}, %`, scale: true },
        yAxis: { type: "value", name: `${metric()}, %`, scale: true },
        series: series(shown, rate),
      }),
    });
  }

  nserbench.views.wer = {
    title: "Word errors",
    filters: true,
    offered: () => nserbench.index.cells.some(isMeasured("rate")),
    draw(main) {
      const shown = cellsWith("rate");
      if (!shown.length) {
        main.append(
          el(
            "p",
            {},
            "No cell that matches the filters has a word error rate. It takes an upstream that transcribes, and a corpus with reference texts.",
          ),
        );
        return;
      }
      const key = (cell) => JSON.stringify([study(cell), cell.measured.rate[0]]);
      const figures = [...new Set(shown.map(key))].map((wanted) =>
        errorFigure(shown.filter((cell) => key(cell) === wanted)),
      );
      main.append(
        el(
          "p",
          { class: "soft" },
          "Do upstreams with fewer word errors recognise emotions better? Each point is an upstream with a head in one condition. Points of the same upstream are not independent of each other.",
        ),
        el("div", { class: "figures" }, ...figures),
      );
    },
  };

  /** Return the cells on the Pareto front, which Python computed, by time. */
  nserbench.front = (shown) =>
    shown
      .filter((cell) => cell.front[choices.metric])
      .sort((a, b) => a.measured.cost[0] - b.measured.cost[0]);

  function costFigure(shown) {
    const best = nserbench.front(shown);
    const seconds = (cell) => Math.max(cell.measured.cost[0], 0.001);
    return nserbench.figure({
      title: columnName(shown[0]),
      detail: `${best.length} of ${shown.length} rows are on the Pareto front`,
      names: new Set(shown.map(upstream)).size + 1,
      heads: [
        "row",
        "time",
        "parameters of the upstream",
        "trained parameters",
        `${metric()}, %`,
        "on the Pareto front",
      ],
      lines: shown.map((cell) => [
        `${upstream(cell)} \u00d7 ${head(cell)}`,
        nserbench.seconds(cell.measured.cost[0]),
        ...[cell.measured.cost[2], cell.measured.cost[1]].map((count) =>
          count === null ? "" : nserbench.largeCount(count),
        ),
        nserbench.percent(score(cell)[0]),
        best.includes(cell) ? "yes" : "no",
      ]),
      options: () => ({
        tooltip: {
          formatter: ({ data: { cell } }) =>
            cell
              ? nserbench.tooltip(
                  upstream(cell),
                  head(cell),
                  `${nserbench.seconds(cell.measured.cost[0])}, ${metric()} ${nserbench.percent(score(cell)[0])} %`,
                )
              : "",
        },
        xAxis: { type: "log", name: "time in seconds" },
        yAxis: { type: "value", name: `${metric()}, %`, scale: true },
        series: [
          ...series(shown, seconds),
          {
            name: "Pareto front",
            type: "line",
            step: "end",
            symbol: "none",
            silent: true,
            lineStyle: { color: "#888", width: 1.5, type: "dashed" },
            color: "#888",
            data: best.map((cell) => [seconds(cell), 100 * score(cell)[0]]),
          },
        ],
      }),
    });
  }

  nserbench.views.cost = {
    title: "Cost",
    filters: true,
    offered: () => nserbench.index.cells.some(isMeasured("cost")),
    draw(main) {
      const shown = cellsWith("cost");
      if (!shown.length) {
        main.append(
          el("p", {}, "No cell that matches the filters has a measured time."),
        );
        return;
      }
      const columns = [...new Set(shown.map((cell) => cell.column))];
      const figures = columns.map((column) =>
        costFigure(shown.filter((cell) => cell.column === column)),
      );
      main.append(
        el(
          "p",
          { class: "soft" },
          "Time to extract the features of all utterances, to fine-tune the upstream if that was done, and to train all folds. Compare only times of the same machine. A row is on the Pareto front if no other row of the table, shown or not, is at least as good in both score and time, and better in one of them. Times are compared to two digits.",
        ),
        el("div", { class: "figures" }, ...figures),
      );
    },
  };
})();
