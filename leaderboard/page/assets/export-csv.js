// The scores that are shown as CSV, with the columns of `leaderboard --format csv`.
"use strict";

(() => {
  const { choices, ofRow } = nserbench;

  /** Join the lines of a text; see nserbench.leaderboard.render.layout.plain. */
  nserbench.plainText = (text) =>
    text
      .trim()
      .replaceAll(/\s+/g, " ")
      .replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, "\ufffd");

  /** Return a field; a text that a spreadsheet would run begins with an apostrophe. */
  function field(value) {
    if (value === null || value === undefined) return "";
    if (typeof value === "boolean") return value ? "True" : "False";
    if (typeof value === "number") return String(value);
    const plain = nserbench.plainText([value].flat().join(" "));
    const text = /^[=+\-@]/.test(plain) ? `'${plain}` : plain;
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }

  const interval = (name, [value, low, high]) => ({
    [name || "value"]: value,
    [name ? `${name}_low` : "low"]: low,
    [name ? `${name}_high` : "high"]: high,
  });

  function record(cell, rank, mean) {
    const [upstream, downstream] = nserbench.index.rows[cell.row];
    const column = nserbench.index.columns[cell.column];
    const { corpus, condition, protocol } = column;
    const metric = choices.metric;
    const score = cell.scores?.[metric] ?? [];
    const difference = cell.differences?.[metric] ?? [];
    const { pooled, chance } = { ...column, ...cell };
    const folds = pooled ? "pooled" : "mean";
    return {
      ...{ upstream, downstream, corpus, condition, protocol },
      metric: nserbench.index.metrics[metric].name,
      status: cell.status,
      ...interval("", score),
      folds: cell.scores ? folds : null,
      chance: cell.scores ? chance[metric] : null,
      seeds: cell.seeds,
      utterances: cell.utterances,
      units: cell.units,
      tied: Boolean(score[3]),
      ...interval("difference", difference),
      p: difference[3],
      ...interval("rank", rank ?? []),
      flags: cell.flags.map((flag) => flag.replaceAll(" ", "-")),
      seen_in_training: cell.seen,
      mean,
    };
  }

  /**
   * Return a line for each score; numbers are fractions of 1.
   *
   * `mean` is the last column: the mean over the columns that are shown.
   */
  nserbench.csv = ({ rows, columns, ranks }) => {
    const records = rows.flatMap((row) => {
      const mean = ofRow.mean(columns, row);
      const rank = ranks && ofRow.rank(ranks, row);
      const cells = columns.map((column) => choices.cell(row, column));
      return cells.filter(Boolean).map((cell) => record(cell, rank, mean));
    });
    const lines = records.map((one) => Object.values(one).map(field).join(","));
    return [Object.keys(records[0] ?? {}).join(","), ...lines, ""].join("\n");
  };
})();
