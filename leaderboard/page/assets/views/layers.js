// Scores of single layers: curves of chosen conditions, and heatmaps.
"use strict";

(() => {
  const { el, choices, address } = nserbench;

  const columnOf = (line) =>
    nserbench.index.columns.findIndex(
      ({ corpus, condition, protocol }) =>
        corpus === line.corpus &&
        condition === line.condition &&
        protocol === line.protocol,
    );

  /** Return clean speech and the lowest SNR of each noise, in the order of columns. */
  function usual(conditions) {
    const lowest = new Map(conditions.map((name) => [name.split("@")[0], name]));
    return [...lowest.values()]; // columns go from high to low SNR
  }

  /** Return the conditions to overlay: those of the address, or the usual ones. */
  function overlaid(conditions) {
    const wanted = conditions.filter((name) => address.all("overlay").includes(name));
    return wanted.length ? wanted : usual(conditions);
  }

  function picker(conditions, shown) {
    const boxes = conditions.map((name) => {
      const box = el("input", { type: "checkbox", checked: shown.includes(name) });
      box.addEventListener("change", () => {
        const wanted = conditions.filter((other) =>
          other === name ? box.checked : shown.includes(other),
        );
        address.go({ overlay: wanted });
        document.querySelector(`#conditions [name="${CSS.escape(name)}"]`)?.focus();
      });
      box.name = name;
      return el("label", { class: "tick" }, box, nserbench.cut(name, 40));
    });
    return el(
      "fieldset",
      { id: "conditions" },
      el("legend", {}, "Conditions"),
      ...boxes,
    );
  }

  /** Return a heatmap whose colours run from the chance level to 100 %. */
  function layerHeatmap(lines) {
    const layers = [...new Set(lines.flatMap((line) => line.x))].sort((a, b) => a - b);
    const { chance } = nserbench.index.columns[columnOf(lines[0])];
    const lowest = chance[choices.metric] ?? 0;
    const several = new Set(lines.map((line) => line.condition)).size > 1;
    const rows = lines.map((line) => {
      const cells = layers.map((layer) => {
        const index = line.x.indexOf(layer);
        if (index < 0) return null;
        const [value] = line.scores[choices.metric][index];
        const share = (value - lowest) / (1 - lowest);
        return { share, text: nserbench.percent(value) };
      });
      return [nserbench.lineName(line, several), ...cells];
    });
    return [
      nserbench.heatmap("upstream \\ layer", layers, rows),
      nserbench.heatScale(`${nserbench.percent(lowest)} % (chance)`, "100 %"),
    ];
  }

  function section(lines) {
    const { corpus, protocol, condition } = lines[0];
    const conditions = new Set(lines.map((line) => line.condition)).size;
    const title = conditions > 1 ? corpus : `${corpus}, ${condition}`;
    return el(
      "section",
      {},
      nserbench.lineFigure(lines, {
        title,
        detail: nserbench.protocol(protocol),
        xName: "layer",
        several: conditions > 1,
      }),
      el("h2", { class: "small" }, `${title}: upstream by layer, %`),
      ...layerHeatmap(lines),
    );
  }

  nserbench.views.layers = {
    title: "Layers",
    filters: true,
    offered: () => nserbench.index.layers.length > 0,
    draw(main) {
      const columns = choices.columns();
      const lines = nserbench.index.layers.filter(
        (line) =>
          choices.namesMatch(line.upstream, line.downstream) &&
          columns.includes(columnOf(line)),
      );
      if (!lines.length) {
        main.append(el("p", {}, "No result that matches the filters is of one layer."));
        return;
      }
      const order = [...new Set(lines.map(columnOf))].sort((a, b) => a - b);
      const names = order.map((column) => nserbench.index.columns[column].condition);
      const conditions = [...new Set(names)];
      const shown = overlaid(conditions);
      const figures = nserbench.linesBy(
        lines.filter((line) => shown.includes(line.condition)),
        "corpus",
        "protocol",
      );
      main.append(
        ...(conditions.length > 1 ? [picker(conditions, shown)] : []),
        nserbench.lineNote(),
        el("div", { class: "figures wide" }, ...figures.map(section)),
      );
    },
  };
})();
