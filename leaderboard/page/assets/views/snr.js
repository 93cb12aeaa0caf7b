// Curves over the SNR: one figure for each corpus, noise and protocol.
"use strict";

(() => {
  const { el, choices } = nserbench;

  nserbench.views.snr = {
    title: "SNR curves",
    filters: true,
    offered: () => nserbench.index.snr.length > 0,
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
      const lines = nserbench.index.snr.filter(matches);
      const byFigure = nserbench.linesBy(lines, "corpus", "condition", "protocol");
      if (!byFigure.length) {
        main.append(el("p", {}, "No result that matches the filters is in noise."));
        return;
      }
      const figures = byFigure.map((ofFigure) => {
        const { corpus, condition, protocol } = ofFigure[0];
        return nserbench.lineFigure(ofFigure, {
          title: `${corpus}, ${condition}`,
          detail: nserbench.protocol(protocol),
          xName: "SNR in dB",
        });
      });
      main.append(
        nserbench.lineNote(" Clean speech is the point at the right."),
        el("div", { class: "figures" }, ...figures),
      );
    },
  };
})();
