// Mean ranks, protocols, and how the numbers are made.
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
        .map((group, number) =>
          group.includes(row) ? String.fromCharCode(97 + number) : "",
        )
        .join("");
    const lines = rows.map(([row, ...rank]) => [
      rowName(row),
      ...nserbench.ofRow.rankNumbers(rank),
      letters(row),
    ]);
    return [
      el("h2", {}, "Mean ranks"),
      el(
        "p",
        { class: "soft" },
        `${note}. Rows that share a letter do not differ significantly.`,
      ),
      nserbench.plainTable(["row", "mean rank", "95 % interval", "letters"], lines),
    ];
  }

  nserbench.views.notes = {
    title: "Notes",
    draw(main) {
      const { protocols, notes, metrics } = nserbench.index;
      const ranks = nserbench.index.ranks[nserbench.choices.metric];
      if (ranks) main.append(...ranking(ranks));
      main.append(
        el("h2", {}, "Protocols"),
        list(protocols.map(([, text]) => text)),
        ...(notes.length ? [el("h2", {}, "Notes"), list(notes)] : []),
        el("h2", {}, "How the numbers are made"),
        list([
          ...metrics.map(({ title, meaning }) => `${title}: ${meaning}`),
          "Every score is computed from predictions, never read from a stored metric. It is the mean over folds, then over seeds. Where a fold lacks a class, all folds are scored together (\u2021). The page of each cell has its predictions for download.",
          "The chance level is the score of guessing every class equally often.",
          "95 % intervals come from a bootstrap over speakers, or over the unit that the protocol names. They include the variation between seeds.",
        ]),
      );
    },
  };
})();
