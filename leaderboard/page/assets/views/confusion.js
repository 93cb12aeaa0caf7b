// Confusion matrices of one row, one for each condition.
"use strict";

(() => {
  const { el, choices } = nserbench;
  const MOST = 12;
  let chosen = null;

  function picker(rows) {
    const list = el("select", { id: "confusion-row" });
    for (const row of rows) {
      const name = nserbench.index.rows[row]
        .map((part) => nserbench.cut(part))
        .join(" \u00d7 ");
      list.append(el("option", { value: row, selected: row === chosen }, name));
    }
    list.addEventListener("change", () => {
      chosen = Number(list.value);
      document.dispatchEvent(new Event("choice"));
    });
    return el("label", {}, "row", list);
  }

  async function matrix(cell) {
    const details = await nserbench.details(cell.id);
    const column = nserbench.index.columns[cell.column];
    return el(
      "figure",
      {},
      el(
        "figcaption",
        {},
        el("a", { href: `#cell=${cell.id}` }, column.head.join(", ")),
      ),
      nserbench.confusion(details.classes, details.confusion),
    );
  }

  nserbench.views.confusion = {
    title: "Confusion matrices",
    filters: true,
    async draw(main) {
      const columns = choices.columns();
      const hasScore = (row) =>
        columns.some((column) => choices.cell(row, column)?.scores);
      const rows = choices.rowIndices().filter(hasScore);
      if (!rows.length) {
        main.append(el("p", {}, "No row that matches the filters has a score."));
        return;
      }
      const first = rows.find((row) => choices.rows.has(row)) ?? rows[0];
      chosen = rows.includes(chosen) ? chosen : first;
      const cells = columns.map((column) => choices.cell(chosen, column));
      const scored = cells.filter((cell) => cell?.scores);
      const matrices = await Promise.all(scored.slice(0, MOST).map(matrix));
      const hidden = scored.length - matrices.length;
      main.append(
        el("div", { class: "actions" }, picker(rows)),
        el(
          "p",
          { class: "soft" },
          "Large numbers: percent of the utterances of each true class. Small numbers: how many utterances these are, summed over folds and seeds.",
        ),
        el("div", { class: "figures small" }, ...matrices),
      );
      if (hidden)
        main.append(
          el(
            "p",
            { class: "soft" },
            `${hidden} more matrices are not shown. Choose a corpus or condition in the filters.`,
          ),
        );
    },
  };
})();
