// Two clouds of cells: words against emotions, and cost against what it buys.
"use strict";

(() => {
  const { el, choices } = nserbench;

  /** Give the cells that pass the filters and have a score and one measure more. */
  function cells(key) {
    const rows = new Set(choices.rowPlaces());
    const columns = new Set(choices.columns());
    return nserbench.index.cells.filter(
      (cell) =>
        cell.scores &&
        cell.measured[key] &&
        rows.has(cell.row) &&
        columns.has(cell.column),
    );
  }

  const score = (cell) => cell.scores[choices.metric];
  const upstream = (cell) => nserbench.index.rows[cell.row][0];
  const head = (cell) => nserbench.index.rows[cell.row][1];
  const place = (cell) => nserbench.index.columns[cell.column].head.join(" ");

  function series(found, measure) {
    const names = [...new Set(found.map(upstream))];
    return names.map((name, at) => {
      const { colour, symbol } = nserbench.look(at);
      return {
        name,
        type: "scatter",
        symbol,
        symbolSize: 11,
        itemStyle: { color: colour, opacity: 0.85 },
        data: found
          .filter((cell) => upstream(cell) === name)
          .map((cell) => ({ value: [measure(cell), 100 * score(cell)[0]], cell })),
      };
    });
  }

  const metric = () => nserbench.index.metrics[choices.metric].title;

  /** Name the corpus and the protocol of a cell. */
  function study(cell) {
    const { corpus, protocol } = nserbench.index.columns[cell.column];
    return `${corpus}, ${nserbench.protocol(protocol)}`;
  }

  function wordFigure(found) {
    const kind = found[0].measured.rate[0];
    const rate = (cell) => 100 * cell.measured.rate[1];
    return nserbench.figure({
      title: `${kind} against ${metric()}`,
      detail: `${study(found[0])}: ${found.length} cells`,
      names: new Set(found.map(upstream)).size,
      heads: ["cell", `${kind}, %`, `${metric()}, %`],
      lines: found.map((cell) => [
        `${upstream(cell)} \u00d7 ${head(cell)}, ${place(cell)}`,
        rate(cell).toFixed(1),
        nserbench.percent(score(cell)[0]),
      ]),
      options: () => ({
        tooltip: {
          formatter: ({ data: { cell } }) =>
            nserbench.hint(
              upstream(cell),
              head(cell),
              place(cell),
              `${kind} ${rate(cell).toFixed(1)} %, ${metric()} ${nserbench.percent(score(cell)[0])} %`,
            ),
        },
        xAxis: { type: "value", name: `${kind}, %`, scale: true },
        yAxis: { type: "value", name: `${metric()}, %`, scale: true },
        series: series(found, rate),
      }),
    });
  }

  nserbench.views.words = {
    title: "Words",
    filters: true,
    draw(main) {
      const found = cells("rate");
      if (!found.length) {
        main.append(
          el("p", {}, "No cell here has transcripts to compare with what was said."),
        );
        return;
      }
      const apart = (cell) => JSON.stringify([study(cell), cell.measured.rate[0]]);
      const figures = [...new Set(found.map(apart))].map((key) =>
        wordFigure(found.filter((cell) => apart(cell) === key)),
      );
      main.append(
        el(
          "p",
          { class: "soft" },
          "Does a model that understands the words better hear the emotion better? Points of one upstream are not independent of each other.",
        ),
        el("div", { class: "figures" }, ...figures),
      );
    },
  };

  /** Give the cells that no row of the table beats, by time. Python computed which. */
  nserbench.front = (found) =>
    found
      .filter((cell) => cell.front[choices.metric])
      .sort((one, other) => one.measured.cost[0] - other.measured.cost[0]);

  function costFigure(found) {
    const best = nserbench.front(found);
    const seconds = (cell) => Math.max(cell.measured.cost[0], 0.001);
    return nserbench.figure({
      title: place(found[0]),
      detail: `${best.length} of ${found.length} rows are beaten by none`,
      names: new Set(found.map(upstream)).size + 1,
      heads: ["row", "time", "trainable parameters", `${metric()}, %`, "beaten"],
      lines: found.map((cell) => [
        `${upstream(cell)} \u00d7 ${head(cell)}`,
        nserbench.seconds(cell.measured.cost[0]),
        cell.measured.cost[1] === null ? "" : nserbench.many(cell.measured.cost[1]),
        nserbench.percent(score(cell)[0]),
        best.includes(cell) ? "no" : "yes",
      ]),
      options: () => ({
        tooltip: {
          formatter: ({ data: { cell } }) =>
            cell
              ? nserbench.hint(
                  upstream(cell),
                  head(cell),
                  `${nserbench.seconds(cell.measured.cost[0])}, ${metric()} ${nserbench.percent(score(cell)[0])} %`,
                )
              : "",
        },
        xAxis: { type: "log", name: "seconds for features, tuning and training" },
        yAxis: { type: "value", name: `${metric()}, %`, scale: true },
        series: [
          ...series(found, seconds),
          {
            name: "beaten by none",
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
    draw(main) {
      const found = cells("cost");
      if (!found.length) {
        main.append(el("p", {}, "No cell here says what it cost."));
        return;
      }
      const places = [...new Set(found.map((cell) => cell.column))];
      const figures = places.map((column) =>
        costFigure(found.filter((cell) => cell.column === column)),
      );
      main.append(
        el(
          "p",
          { class: "soft" },
          "Seconds are those of the machine that ran the cell: for the features of all utterances, the training of all folds and, of an upstream that is tuned, its tuning. They compare within one machine. A row is beaten by any row of the table, shown or not, that is no worse in value and time and better in one of them; two digits of the time count.",
        ),
        el("div", { class: "figures" }, ...figures),
      );
    },
  };
})();
