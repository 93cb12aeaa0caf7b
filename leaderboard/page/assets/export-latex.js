// The table as it is shown in LaTeX, as nserbench.leaderboard.render.latex writes it.
"use strict";

(() => {
  const { choices, ofRow, percent } = nserbench;
  const WIDE = 60; // characters above which a table is small and spans both columns

  function escaped(text) {
    const { escapes } = nserbench.index.latex;
    const letters = [...nserbench.plainText(text)].map((one) => escapes[one] ?? one);
    return letters.join("").replaceAll("--", "-{}-"); // no dash
  }

  /** Escape a text, with the signs of numbers in math mode, where - is no hyphen. */
  const signed = (text) =>
    escaped(text).replaceAll(/(?<![\p{L}\p{N}_])[+-](?=\d)/gu, "$$$&$$");

  const line = (cells) => `${cells.join(" & ")} \\\\`;

  const scored = (columns) =>
    nserbench.index.cells.filter(
      (cell) => cell.scores && columns.includes(cell.column),
    );

  const isPooled = (cell) => cell.pooled ?? nserbench.index.columns[cell.column].pooled;

  const isFew = (cell) =>
    cell.units > 0 &&
    cell.units < nserbench.index.few_units &&
    cell.scores[choices.metric][1] !== null;

  /** Return what a cell shows, before it is marked. */
  function plainCell(row, column) {
    const cell = choices.cell(row, column);
    if (!cell) return "";
    if (cell.scores) return percent(cell.scores[choices.metric][0]);
    return cell.status === "not applicable" ? "n/a" : cell.status;
  }

  function markedCell(row, column, [best, second]) {
    const { scores, flags = [], seen } = choices.cell(row, column) ?? {};
    const number = plainCell(row, column);
    const marks = `${flags.length ? "!" : ""}${seen === "yes" ? "\u00a7" : ""}`;
    const text = signed(number + marks);
    if (!scores) return text;
    if (number === best) return `\\textbf{${text}}`;
    const mark = scores[choices.metric][3] ? "\\rlap{$^{=}$}" : "";
    return `${number === second ? `\\underline{${text}}` : text}${mark}`;
  }

  /** Return heading and text of the columns between the names and the scores. */
  function firstColumns({ columns, ranks }) {
    const rank = (row) => {
      const found = ofRow.rank(ranks, row);
      return found ? ofRow.rankNumbers(found)[0] : "";
    };
    const mean = (row) => {
      const found = ofRow.mean(columns, row);
      return found === null ? "" : percent(found);
    };
    return [
      ...(ranks ? [["rank", rank]] : []),
      ...(columns.length > 1 ? [["mean", mean]] : []),
    ];
  }

  /** Return the heading of each corpus, and how many neighbouring columns it spans. */
  function corpora(columns) {
    const spans = [];
    for (const column of columns) {
      const [corpus] = nserbench.index.columns[column].head;
      const last = spans[spans.length - 1];
      if (last?.[0] === corpus) last[1] += 1;
      else spans.push([corpus, 1]);
    }
    return spans;
  }

  function headerLines(columns, first) {
    const before = 2 + first.length;
    const spans = corpora(columns);
    const heading = ([text, span]) => `\\multicolumn{${span}}{c}{${signed(text)}}`;
    const conditions = columns.map((column) => {
      const { head, pooled } = nserbench.index.columns[column];
      const [condition, ...more] = head.slice(1);
      const few = scored([column]).some(isFew) ? "\u2020" : "";
      return [`${condition}${few}${pooled ? "\u2021" : ""} ${more.join(" ")}`, 1];
    });
    let end = before;
    const rules = spans.map(([, span]) => {
      const rule = `\\cmidrule(lr){${end + 1}-${end + span}}`;
      end += span;
      return rule;
    });
    return [
      line([...Array(before).fill(""), ...spans.map(heading)]),
      rules.join(" "),
      line([
        "upstream",
        "head",
        ...first.map(([name]) => name),
        ...conditions.map(heading),
      ]),
    ];
  }

  function chanceLines(columns, first) {
    const levels = columns.map(
      (column) => nserbench.index.columns[column].chance[choices.metric],
    );
    if (levels.every((level) => level === null)) return [];
    const texts = levels.map((level) => (level === null ? "" : percent(level)));
    return ["\\midrule", line(["chance", "", ...first.map(() => ""), ...texts])];
  }

  function caption(shown) {
    const { title } = nserbench.index.metrics[choices.metric];
    const cells = scored(shown.columns);
    const pooled = cells.length && cells.every(isPooled);
    const all = nserbench.index.rows.length;
    const best = shown.rows.length < all ? `Best of all ${all} rows` : "Best";
    const how = pooled ? "all folds together" : "mean of folds";
    return `\\caption{${escaped(`${title}: ${how}, in percent`)}. ${best} in bold, second underlined.}`;
  }

  function notes({ columns, ranks }) {
    const { marks, protocols } = nserbench.index;
    const cells = scored(columns);
    const used = columns.map((column) => nserbench.index.columns[column].protocol);
    return [
      cells.some((cell) => cell.scores[choices.metric][3]) && marks.tied,
      cells.some(isFew) && marks.few,
      cells.some(isPooled) && marks.pooled,
      marks.chance,
      cells.some((cell) => cell.flags.length) && marks.suspect,
      cells.some((cell) => cell.seen === "yes") && marks.seen,
      ranks?.note,
      columns.length > 1 &&
        "mean: of the ranked columns of this table, for rows that have a score in all of them",
      ...protocols
        .filter(([name]) => used.includes(name))
        .map(([, text]) => `protocol ${text}`),
    ].filter(Boolean);
  }

  /** Return the table in LaTeX; its first lines say what it needs. */
  nserbench.latex = (shown) => {
    const { rows, columns } = shown;
    const first = firstColumns(shown);
    const best = new Map(columns.map((column) => [column, ofRow.twoBest(column)]));
    const texts = rows.map((row) => [
      ...nserbench.index.rows[row],
      ...first.map(([, text]) => text(row)),
      ...columns.map((column) => plainCell(row, column)),
    ]);
    const width = Math.max(...texts.map((cells) => cells.join(" ").length));
    const kind = width > WIDE ? "table*" : "table";
    const body = rows.map((row) =>
      line([
        ...nserbench.index.rows[row].map(escaped),
        ...first.map(([, text]) => text(row)),
        ...columns.map((column) => markedCell(row, column, best.get(column))),
      ]),
    );
    const { packages, beyond, scripts, fitted } = nserbench.index.latex;
    const lines = [
      `\\begin{${kind}}`,
      "\\centering",
      ...(width > WIDE ? ["\\small\\setlength{\\tabcolsep}{4pt}"] : []),
      caption(shown),
      fitted,
      `\\begin{tabular}{ll${"r".repeat(first.length + columns.length)}}`,
      "\\toprule",
      ...headerLines(columns, first),
      "\\midrule",
      ...body,
      ...chanceLines(columns, first),
      "\\bottomrule",
      "\\end{tabular}}",
      "\\par\\smallskip",
      "\\begin{minipage}{\\linewidth}\\footnotesize\\raggedright",
      ...notes(shown).map((note) => `${escaped(note)}\\par`),
      "\\end{minipage}",
      `\\end{${kind}}`,
      "",
    ];
    const other = lines.some((one) => new RegExp(beyond, "u").test(one));
    return [packages, ...(other ? [scripts] : []), ...lines].join("\n");
  };
})();
