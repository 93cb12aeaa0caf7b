// The leaderboard on paper: a plain table, which pages can divide.
"use strict";

(() => {
  const { el, ofRow } = nserbench;

  function paperTable({ rows, columns, ranks }) {
    const several = columns.length > 1;
    const heads = columns.map((column) => {
      const { head } = nserbench.index.columns[column];
      return el("span", {}, ...head.flatMap((line) => [line, el("br")]));
    });
    const best = new Map(columns.map((column) => [column, ofRow.twoBest(column)[0]]));
    const lines = rows.map((row) => [
      el(
        "span",
        {},
        ...nserbench.breakable(nserbench.index.rows[row].join(" \u00d7 ")),
      ),
      ...(ranks ? [ofRow.rankText(ranks, row)] : []),
      ...(several ? [ofRow.meanText(columns, row)] : []),
      ...columns.map((column) => ofRow.scoreLink(row, column, best.get(column))),
    ]);
    return nserbench.plainTable(
      ["row", ...(ranks ? ["mean rank"] : []), ...(several ? ["mean"] : []), ...heads],
      lines,
      { numbers: false },
    );
  }

  /** Add the table after another while it is printed; return what ends that. */
  nserbench.keepPaper = (holder, shown) => {
    const paper = el("div", { class: "paper" });
    const fill = ({ detail: isPaper }) =>
      paper.replaceChildren(...(isPaper ? [paperTable(shown())] : []));
    holder.after(paper);
    document.addEventListener("paper", fill);
    return () => document.removeEventListener("paper", fill);
  };
})();
