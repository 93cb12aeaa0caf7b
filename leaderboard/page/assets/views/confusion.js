// Confusion matrices of one row, one for each condition.
"use strict";

(() => {
  const { el, choices, address, ofRow } = nserbench;
  const MOST = 12;

  function picker(rows, chosen) {
    const list = el("select", { id: "confusion-row" });
    for (const row of rows) {
      const name = nserbench.index.rows[row]
        .map((part) => nserbench.cut(part))
        .join(" \u00d7 ");
      list.append(el("option", { value: row, selected: row === chosen }, name));
    }
    list.addEventListener("change", () =>
      address.go({ of: choices.rowKey(Number(list.value)) }),
    );
    return el("label", {}, "row", list);
  }

  async function matrix(cell) {
    const details = await nserbench.details(cell.id);
    const column = nserbench.index.columns[cell.column];
    return el(
      "figure",
      {},
      el("figcaption", {}, address.link({ cell: cell.id }, {}, column.head.join(", "))),
      nserbench.confusion(details.classes, details.confusion),
    );
  }

  nserbench.views.confusion = {
    title: "Confusion matrices",
    filters: true,
    offered: () => nserbench.index.cells.some((cell) => cell.scores),
    async draw(main) {
      const columns = choices.columns();
      const hasScore = (row) =>
        columns.some((column) => choices.cell(row, column)?.scores);
      const rows = choices.rowIndices().filter(hasScore);
      if (!rows.length) {
        main.append(el("p", {}, "No row that matches the filters has a score."));
        return;
      }
      const ranked = ofRow.ranking(columns)?.rows.map(([row]) => row) ?? [];
      const preferred = [...choices.rows, ...ranked, ...rows];
      const first = preferred.find((row) => rows.includes(row));
      const named = choices.rowOf(address.get("of"));
      const chosen = rows.includes(named) ? named : first;
      const cells = columns.map((column) => choices.cell(chosen, column));
      const scored = cells.filter((cell) => cell?.scores);
      const matrices = await Promise.all(scored.slice(0, MOST).map(matrix));
      const hidden = scored.length - matrices.length;
      main.append(
        el("div", { class: "actions" }, picker(rows, chosen)),
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
