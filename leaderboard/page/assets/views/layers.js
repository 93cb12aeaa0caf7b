// Scores of single layers: curves, and heatmaps of upstream by layer.
"use strict";

(() => {
  const { el, choices } = nserbench;

  function layerHeatmap(lines) {
    const layers = [...new Set(lines.flatMap((line) => line.x))].sort((a, b) => a - b);
    const values = lines.flatMap((line) =>
      line.scores[choices.metric].map(([value]) => value),
    );
    const [lowest, highest] = [Math.min(...values), Math.max(...values)];
    const rows = lines.map((line) => {
      const cells = layers.map((layer) => {
        const index = line.x.indexOf(layer);
        if (index < 0) return null;
        const [value] = line.scores[choices.metric][index];
        const share = highest > lowest ? (value - lowest) / (highest - lowest) : 0.5;
        return { share, text: nserbench.percent(value) };
      });
      return [[line.upstream, line.group].filter(Boolean).join(" "), ...cells];
    });
    return nserbench.heatmap("upstream \\ layer", layers, rows);
  }

  function section(lines) {
    const { corpus, condition, protocol } = lines[0];
    const title = `${corpus}, ${condition}`;
    return el(
      "section",
      {},
      nserbench.lineFigure(lines, title, nserbench.protocol(protocol), "layer"),
      el("h3", {}, `${title}: upstream by layer, %`),
      layerHeatmap(lines),
    );
  }

  nserbench.views.layers = {
    title: "Layers",
    filters: true,
    draw(main) {
      const names = new Set(
        choices.columns().map((column) => {
          const { corpus, condition, protocol } = nserbench.index.columns[column];
          return [corpus, condition, protocol].join("\n");
        }),
      );
      const matches = (line) =>
        choices.namesMatch(line.upstream, line.downstream) &&
        names.has([line.corpus, line.condition, line.protocol].join("\n"));
      const figures = nserbench.linesByFigure(nserbench.index.layers.filter(matches));
      if (!figures.length) {
        main.append(
          el(
            "p",
            {},
            "No result that matches the filters is of a single layer. To make some, run the head single:layer=all.",
          ),
        );
        return;
      }
      main.append(
        nserbench.lineNote(),
        el("div", { class: "figures" }, ...figures.map(section)),
      );
    },
  };
})();
