// What a reader must know besides the numbers, and the mean ranks.
"use strict";

(() => {
  const { el } = nserbench;

  function list(lines) {
    return el("ul", { class: "plain" }, ...lines.map((line) => el("li", {}, line)));
  }

  const rowName = (row) =>
    nserbench.index.rows[row].map((part) => nserbench.cut(part)).join(" \u00d7 ");

  function ranking({ rows, columns, critical_difference: critical, groups }) {
    const letters = (row) =>
      groups
        .map((group, at) => (group.includes(row) ? String.fromCharCode(97 + at) : ""))
        .join("");
    const text =
      critical === null
        ? `Mean rank over ${columns} columns by ${nserbench.index.metrics[0].title}; the Friedman test tells no rows apart.`
        : `Mean rank over ${columns} columns by ${nserbench.index.metrics[0].title}. Ranks further apart than ${critical.toFixed(2)} differ (Nemenyi, 0.05); rows that share a letter do not.`;
    const lines = rows.map(([row, rank]) => [
      rowName(row),
      rank.toFixed(2),
      letters(row),
    ]);
    return [
      el("h2", {}, "Mean ranks"),
      el("p", { class: "soft" }, text),
      nserbench.plainTable(["row", "mean rank", "not told apart"], lines),
    ];
  }

  nserbench.views.notes = {
    title: "Notes",
    draw(main) {
      const { ranks, protocols, notes, metrics } = nserbench.index;
      if (ranks) main.append(...ranking(ranks));
      main.append(
        el("h2", {}, "Protocols"),
        list(protocols),
        el("h2", {}, "Notes"),
        list(notes),
        el("h2", {}, "How the numbers are made"),
        list([
          ...metrics.map(({ title, meaning }) => `${title}: ${meaning}`),
          "Every number is computed from the predictions of a cell, which its page has for download: the mean over folds, then over seeds. No stored metric is read.",
          "95 % intervals come from a bootstrap that draws speakers, or the unit that a protocol names, with all their utterances, and from what differs between seeds.",
        ]),
      );
    },
  };
})();
