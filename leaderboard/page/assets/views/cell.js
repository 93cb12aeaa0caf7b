// All details of one cell: scores, folds, confusion matrix, training, protocol, files.
"use strict";

(() => {
  const { el, address } = nserbench;

  function scores(cell) {
    const { pooled, chance } = nserbench.index.columns[cell.column];
    const how = pooled ? "all folds together" : "mean over folds";
    const lines = nserbench.index.metrics.map(({ title }, metric) => {
      const [value, low, high] = cell.scores[metric];
      return [
        title,
        nserbench.percent(value),
        nserbench.bounds(low, high) || "none: one unit",
        chance[metric] === null ? "" : nserbench.percent(chance[metric]),
        nserbench.bar(value, low, high, [0, 1], null, true),
      ];
    });
    const heads = [
      "metric",
      `${how}, %`,
      "95 % interval",
      "chance level",
      "from 0 to 100",
    ];
    return nserbench.plainTable(heads, lines);
  }

  function folds(runs) {
    const names = Object.keys(runs[0].metrics.uar.folds);
    const lines = runs.flatMap((run) =>
      nserbench.index.metrics.map(({ name, title }) => [
        runs.length > 1 ? `${title}, seed ${run.seed}` : title,
        ...names.map((fold) => {
          const value = run.metrics[name].folds[fold];
          return typeof value === "number" ? nserbench.percent(value) : "";
        }),
        nserbench.percent(run.metrics[name].pooled),
      ]),
    );
    const heads = ["%", ...names.map((fold) => `fold ${fold}`), "all folds"];
    return nserbench.plainTable(heads, lines);
  }

  const CURVES = [
    ["losses", "loss on the training set", 1],
    ["accuracies", "accuracy on the training set, %", 100],
    ["dev", "UAR on the development set, %", 100],
    ["gradients", "mean gradient norm", 1],
  ];

  /** Return one of the curves of each fold that has it. */
  function foldCurves(run, key) {
    return Object.entries(run.training ?? {})
      .map(([fold, curves]) => [fold, curves?.[key]])
      .filter(([, values]) => Array.isArray(values) && values.length);
  }

  function training(run) {
    return CURVES.flatMap(([key, name, scale]) => {
      const lines = foldCurves(run, key);
      if (!lines.length) return [];
      const epochs = Math.max(...lines.map(([, values]) => values.length));
      return nserbench.figure({
        title: name,
        detail: `seed ${run.seed}, one line for each fold`,
        names: 0,
        heads: ["fold", "first epoch", "last epoch"],
        lines: lines.map(([fold, values]) => [
          fold,
          nserbench.plainNumber(scale * values[0]),
          nserbench.plainNumber(scale * values[values.length - 1]),
        ]),
        options: () => ({
          tooltip: { trigger: "axis", valueFormatter: nserbench.plainNumber },
          xAxis: {
            type: "value",
            name: "epoch",
            min: 1,
            max: Math.max(epochs, 2),
            minInterval: 1,
          },
          yAxis: { type: "value", scale: true },
          series: lines.map(([fold, values], number) => ({
            name: `fold ${fold}`,
            type: "line",
            showSymbol: values.length === 1,
            color: nserbench.lineStyle(number).colour,
            lineStyle: { width: 1.8, type: nserbench.lineStyle(number).dash },
            data: values.map((value, epoch) => [epoch + 1, scale * value]),
          })),
        }),
      });
    });
  }

  function layerWeights(weights) {
    const groups = Object.keys(weights);
    if (!groups.length) return [];
    const layers = [...new Set(groups.flatMap((group) => Object.keys(weights[group])))];
    layers.sort((a, b) => a - b);
    const largest = Math.max(
      ...groups.flatMap((group) => Object.values(weights[group]).map(Math.abs)),
    );
    const lines = groups.map((group) => [
      group,
      ...layers.map((layer) => {
        const weight = weights[group][layer];
        return weight === undefined
          ? null
          : { share: Math.abs(weight) / (largest || 1), text: weight.toFixed(2) };
      }),
    ]);
    return [
      el("h2", {}, "Layer weights"),
      nserbench.heatmap("group \\ layer", layers, lines),
      nserbench.heatScale("0", largest.toFixed(2)),
    ];
  }

  function command(text) {
    return el(
      "section",
      {},
      el("h2", {}, "Command to run it again"),
      ...nserbench.copyable(text, "Copy"),
      el(
        "p",
        { class: "soft" },
        "Checkpoints and corpora in folders are named without their paths.",
      ),
    );
  }

  function downloads(runs, column) {
    return runs.map((run) => {
      const name = `predictions-${column.corpus}-${column.condition}-seed${run.seed}.csv`;
      const text = `Predictions${runs.length > 1 ? `, seed ${run.seed}` : ""} (CSV)`;
      return el("a", { class: "button", href: run.predictions, download: name }, text);
    });
  }

  function facts(run, several) {
    const parts = [
      ["Protocol", run.protocol],
      ["Costs", costsWithUnits(run.costs)],
      ["Word errors", run.recognition],
      ["Provenance", { ...run.provenance, digest: run.digest }],
      ["Notes", run.notes],
    ];
    return el(
      "div",
      { class: "columns" },
      ...parts
        .filter(([, content]) => Object.keys(content).length)
        .map(([title, content]) =>
          el(
            "section",
            {},
            el("h2", {}, several ? `${title}, seed ${run.seed}` : title),
            nserbench.facts(content),
          ),
        ),
    );
  }

  const COST_NAMES = {
    seconds: "all but feature extraction",
    tuning_seconds: "fine-tuning",
  };

  function costsWithUnits(costs) {
    const withUnit = ([name, value]) => {
      const label = COST_NAMES[name] ?? name.replace(/_(seconds|bytes)$/, "");
      if (value === null) return [label, null];
      if (name.endsWith("_bytes")) return [label, `${(value / 1e6).toFixed(1)} MB`];
      if (name.endsWith("seconds")) return [label, nserbench.seconds(value)];
      return [label, nserbench.largeCount(value)];
    };
    return Object.fromEntries(Object.entries(costs).map(withUnit));
  }

  function top(cell) {
    const [upstream, head] = nserbench.index.rows[cell.row];
    const column = nserbench.index.columns[cell.column];
    const { length: count } = cell.seeds;
    const seedNames = `${count > 1 ? "seeds" : "seed"} ${cell.seeds.join(", ")}`;
    const seeds = count ? `, ${seedNames}` : "";
    const tested = cell.utterances
      ? `, ${cell.utterances} test utterances of ${cell.units} independent units`
      : "";
    return [
      el("p", {}, address.link({ view: null, cell: null }, {}, "\u2190 Leaderboard")),
      el("h2", { class: "long" }, `${upstream} \u00d7 ${head}`),
      el(
        "p",
        { class: "soft" },
        `${column.corpus}, ${column.condition}; protocol ${column.protocol}${seeds}${tested}`,
      ),
    ];
  }

  nserbench.views.cell = {
    title: "Cell",
    hidden: true,
    within: "table",
    async draw(main) {
      const id = address.get("cell");
      const cell = nserbench.index.cells.find((known) => known.id === id);
      if (!cell) {
        const back = { view: null, cell: null };
        main.append(
          el("p", {}, "This page has no such cell."),
          el("p", {}, address.link(back, {}, "\u2190 Leaderboard")),
        );
        return;
      }
      const details = await nserbench.details(id);
      main.append(...top(cell));
      for (const [seed, reason] of Object.entries(details.reasons)) {
        main.append(
          el(
            "p",
            { class: "note" },
            `${cell.status === "done" ? `${seed} has no score` : cell.status}: ${reason}`,
          ),
        );
      }
      for (const flag of cell.flags) {
        const meaning = nserbench.index.flags[flag];
        main.append(el("p", { class: "note" }, `Suspect head (${flag}): ${meaning}.`));
      }
      if (cell.seen === "yes")
        main.append(el("p", { class: "note" }, `${nserbench.index.marks.seen}.`));
      if (cell.scores) main.append(...scoreSections(cell, details));
      const [upstream, head] = nserbench.index.rows[cell.row];
      const { corpus } = nserbench.index.columns[cell.column];
      main.append(
        command(details.command),
        ...nserbench.sourcesOf(upstream, head, corpus),
        ...details.runs.map((run) => facts(run, details.runs.length > 1)),
      );
    },
  };

  function scoreSections(cell, details) {
    const column = nserbench.index.columns[cell.column];
    return [
      el(
        "div",
        { class: "columns" },
        el(
          "section",
          {},
          el("h2", {}, "Scores"),
          scores(cell),
          el("div", { class: "actions" }, ...downloads(details.runs, column)),
          el("h2", {}, "Folds"),
          folds(details.runs),
        ),
        el(
          "section",
          {},
          el("h2", {}, "Confusion matrix"),
          nserbench.confusion(details.classes, details.confusion),
        ),
      ),
      ...layerWeights(details.weights),
      el("h2", {}, "Training"),
      el("div", { class: "figures" }, ...details.runs.flatMap(training)),
    ];
  }
})();
