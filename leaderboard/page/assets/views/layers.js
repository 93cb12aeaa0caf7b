// One layer at a time: curves, and heatmaps of upstream by layer.
"use strict";

(() => {
  const { el, choices } = nserbench;

  function heatmap(lines) {
    const layers = [...new Set(lines.flatMap((line) => line.x))].sort((a, b) => a - b);
    const values = lines.flatMap((line) =>
      line.scores[choices.metric].map(([value]) => value),
    );
    const [least, most] = [Math.min(...values), Math.max(...values)];
    const rows = lines.map((line) => {
      const cells = layers.map((layer) => {
        const at = line.x.indexOf(layer);
        if (at < 0) return null;
        const [value] = line.scores[choices.metric][at];
        const share = most > least ? (value - least) / (most - least) : 0.5;
        return { share, text: nserbench.percent(value) };
      });
      return [[line.upstream, line.group].filter(Boolean).join(" "), ...cells];
    });
    return nserbench.shadedTable("upstream \\ layer", layers, rows);
  }

  function section(lines) {
    const { corpus, condition, protocol } = lines[0];
    const title = `${corpus}, ${condition}`;
    return el(
      "section",
      {},
      nserbench.lineFigure(lines, title, nserbench.protocol(protocol), "layer"),
      el("h3", {}, `${title}: upstream by layer, %`),
      heatmap(lines),
    );
  }

  nserbench.views.layers = {
    title: "Layers",
    filters: true,
    draw(main) {
      const names = new Set(
        choices.columns().map((place) => {
          const { corpus, condition, protocol } = nserbench.index.columns[place];
          return [corpus, condition, protocol].join("\n");
        }),
      );
      const passes = (line) =>
        choices.named(line.upstream, line.downstream) &&
        names.has([line.corpus, line.condition, line.protocol].join("\n"));
      const found = nserbench.linesByPlace(nserbench.index.layers.filter(passes));
      if (!found.length) {
        main.append(
          el(
            "p",
            {},
            "No result here is of single layers: run heads such as single:layer=all.",
          ),
        );
        return;
      }
      main.append(
        nserbench.lineHint(),
        el("div", { class: "figures" }, ...found.map(section)),
      );
    },
  };
})();
