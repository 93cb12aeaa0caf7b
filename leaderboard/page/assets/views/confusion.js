// Confusion matrices of one row, condition by condition.
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
    title: "Confusions",
    filters: true,
    async draw(main) {
      const columns = choices.columns();
      const done = (row) => columns.some((column) => choices.cell(row, column)?.scores);
      const rows = choices.rowPlaces().filter(done);
      if (!rows.length) {
        main.append(el("p", {}, "No row that passes the filters is done."));
        return;
      }
      const first = rows.find((row) => choices.rows.has(row)) ?? rows[0];
      chosen = rows.includes(chosen) ? chosen : first;
      const cells = columns.map((column) => choices.cell(chosen, column));
      const found = cells.filter((cell) => cell?.scores);
      const shown = await Promise.all(found.slice(0, MOST).map(matrix));
      const left = found.length - shown.length;
      main.append(
        el("div", { class: "actions" }, picker(rows)),
        el(
          "p",
          { class: "soft" },
          "Percent of the utterances of each true class; below it their number, summed over folds and seeds.",
        ),
        el("div", { class: "figures small" }, ...shown),
      );
      if (left)
        main.append(
          el(
            "p",
            { class: "soft" },
            `${left} more: choose a corpus or condition above.`,
          ),
        );
    },
  };
})();
