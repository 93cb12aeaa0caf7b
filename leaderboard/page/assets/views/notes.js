// What a reader must know besides the numbers, and the mean ranks.
"use strict";

(() => {
  const { el } = nserbench;

  function list(lines) {
    return el("ul", { class: "plain" }, ...lines.map((line) => el("li", {}, line)));
  }

  const rowName = (row) =>
    nserbench.index.rows[row].map((part) => nserbench.cut(part)).join(" \u00d7 ");

  function ranking({ rows, note, groups }) {
    const letters = (row) =>
      groups
        .map((group, at) => (group.includes(row) ? String.fromCharCode(97 + at) : ""))
        .join("");
    const digit = nserbench.oneDigit;
    const lines = rows.map(([row, rank, low, high]) => [
      rowName(row),
      digit(rank),
      `${digit(low)}\u2013${digit(high)}`,
      letters(row),
    ]);
    return [
      el("h2", {}, "Mean ranks"),
      el("p", { class: "soft" }, `${note}. Rows that share a letter do not differ.`),
      nserbench.plainTable(["row", "mean rank", "95 %", "not told apart"], lines),
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
          "Every number is computed from the predictions of a cell, which its page has for download: the mean over folds, then over seeds. Where a fold lacks a class, all folds are scored together (pooled, \u2021). No stored metric is read.",
          "Chance is what guessing gives, every class equally often.",
          "95 % intervals come from a bootstrap that draws speakers, or the unit that a protocol names, with all their utterances, and from what differs between seeds.",
        ]),
      );
    },
  };
})();
