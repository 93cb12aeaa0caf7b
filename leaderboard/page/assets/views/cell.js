// One cell whole: scores, folds, confusions, training, protocol, provenance, files.
"use strict";

(() => {
  const { el, choices } = nserbench;

  function scores(cell) {
    const { pooled, chance } = nserbench.index.columns[cell.column];
    const how = pooled ? "all folds together" : "mean of folds";
    const lines = nserbench.index.metrics.map(({ title }, at) => {
      const [value, low, high] = cell.scores[at];
      return [
        title,
        nserbench.percent(value),
        nserbench.bounds(low, high) || "one unit",
        chance[at] === null ? "" : nserbench.percent(chance[at]),
        nserbench.bar(value, low, high, [0, 1], null, true),
      ];
    });
    return nserbench.plainTable(["metric", `${how}, %`, "95 %", "chance", ""], lines);
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
    const heads = ["%", ...names.map((fold) => `fold ${fold}`), "pooled"];
    return nserbench.plainTable(heads, lines);
  }

  const CURVES = [
    ["losses", "loss on the training part", 1],
    ["accuracies", "accuracy on the training part, %", 100],
    ["dev", "UAR on the part that selects, %", 100],
    ["gradients", "mean norm of the gradient", 1],
  ];

  /** Give one of the curves of each fold that has it. */
  function foldCurves(run, key) {
    const found = Object.entries(run.training ?? {}).map(([fold, one]) => [
      fold,
      one?.[key],
    ]);
    return found.filter(([, values]) => Array.isArray(values) && values.length);
  }

  function training(run) {
    return CURVES.flatMap(([key, name, scale]) => {
      const lines = foldCurves(run, key);
      if (!lines.length) return [];
      const epochs = Math.max(...lines.map(([, values]) => values.length));
      return nserbench.figure({
        title: name,
        detail: `seed ${run.seed}, a line for each fold`,
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
          series: lines.map(([fold, values], at) => ({
            name: `fold ${fold}`,
            type: "line",
            showSymbol: values.length === 1,
            color: nserbench.look(at).colour,
            lineStyle: { width: 1.8, type: nserbench.look(at).dash },
            data: values.map((value, epoch) => [epoch + 1, scale * value]),
          })),
        }),
      });
    });
  }

  function weights(found) {
    const groups = Object.keys(found);
    if (!groups.length) return [];
    const layers = [...new Set(groups.flatMap((group) => Object.keys(found[group])))];
    layers.sort((one, other) => one - other);
    const most = Math.max(
      ...groups.flatMap((group) => Object.values(found[group]).map(Math.abs)),
    );
    const lines = groups.map((group) => [
      group,
      ...layers.map((layer) => {
        const weight = found[group][layer];
        return weight === undefined
          ? null
          : { share: Math.abs(weight) / (most || 1), text: weight.toFixed(2) };
      }),
    ]);
    return [
      el("h2", {}, "What each layer counts"),
      nserbench.shadedTable("group \\ layer", layers, lines),
    ];
  }

  function command(text) {
    const copy = el("button", { type: "button" }, "Copy");
    copy.addEventListener("click", async () => {
      await navigator.clipboard.writeText(text);
      copy.textContent = "Copied";
    });
    return el(
      "section",
      {},
      el("h2", {}, "Run it again"),
      el("pre", { class: "command" }, text),
      el(
        "p",
        { class: "soft" },
        "A checkpoint or corpus in a folder is named without its path.",
      ),
      el("div", { class: "actions" }, navigator.clipboard ? copy : null),
    );
  }

  function downloads(runs, column) {
    return runs.map((run) => {
      const name = `predictions-${column.corpus}-${column.condition}-seed${run.seed}.csv`;
      const text = `Predictions${runs.length > 1 ? `, seed ${run.seed}` : ""} (CSV)`;
      return el("a", { class: "button", href: run.predictions, download: name }, text);
    });
  }

  function about(run, several) {
    const parts = [
      ["Protocol", run.protocol],
      ["Costs", spelled(run.costs)],
      ["Words", run.recognition],
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

  function spelled(costs) {
    const said = ([name, value]) => {
      if (value === null) return [name, null];
      if (name.endsWith("_bytes"))
        return [name.replace("_bytes", ""), `${(value / 1e6).toFixed(1)} MB`];
      if (name === "seconds")
        return ["cell without features", nserbench.seconds(value)];
      if (name.endsWith("_seconds"))
        return [name.replace("_seconds", ""), nserbench.seconds(value)];
      return [name, nserbench.many(value)];
    };
    return Object.fromEntries(Object.entries(costs).map(said));
  }

  function top(cell) {
    const [upstream, head] = nserbench.index.rows[cell.row];
    const column = nserbench.index.columns[cell.column];
    const { length: count } = cell.seeds;
    const named = `${count > 1 ? "seeds" : "seed"} ${cell.seeds.join(", ")}`;
    const seeds = count ? `, ${named}` : "";
    const tested = cell.utterances
      ? `, ${cell.utterances} utterances, ${cell.units} independent units`
      : "";
    return [
      el("p", {}, el("a", { href: "#table" }, "\u2190 Leaderboard")),
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
    async draw(main, id) {
      const cell = nserbench.index.cells.find((one) => one.id === id);
      if (!cell) {
        main.append(el("p", {}, "There is no such cell on this page."));
        return;
      }
      const found = await nserbench.details(id);
      main.append(...top(cell));
      for (const [seed, reason] of Object.entries(found.reasons)) {
        main.append(
          el(
            "p",
            { class: "note" },
            `${cell.status === "done" ? `${seed} is not done` : cell.status}: ${reason}`,
          ),
        );
      }
      for (const flag of cell.flags) {
        const meaning = nserbench.index.flags[flag];
        main.append(el("p", { class: "note" }, `Suspect (${flag}): ${meaning}.`));
      }
      if (cell.scores) main.append(...measured(cell, found));
      main.append(
        command(found.command),
        ...found.runs.map((run) => about(run, found.runs.length > 1)),
      );
    },
  };

  function measured(cell, found) {
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
          el("div", { class: "actions" }, ...downloads(found.runs, column)),
          el("h2", {}, "Folds"),
          folds(found.runs),
        ),
        el(
          "section",
          {},
          el("h2", {}, "Confusions"),
          nserbench.confusion(found.classes, found.confusion),
        ),
      ),
      ...weights(found.weights),
      el("h2", {}, "Training"),
      el("div", { class: "figures" }, ...found.runs.flatMap(training)),
    ];
  }
})();
