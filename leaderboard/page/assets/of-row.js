// The numbers of a row in the leaderboard: scores, their mean, and the mean rank.
"use strict";

(() => {
  const { el, choices, address } = nserbench;
  const ofRow = {};

  /** Return the score of a row in a column; null if it has none. */
  ofRow.value = (row, column) =>
    choices.cell(row, column)?.scores?.[choices.metric][0] ?? null;

  /**
   * Return those columns of which a mean means something: of one protocol.
   *
   * They are the ranked ones, which leaves out scores that were chosen on the test set
   * and recordings that another column has, unless only these are shown.
   */
  ofRow.averaged = (columns) => {
    const ranks = ofRow.ranking(columns);
    if (ranks) return columns.filter((column) => ranks.columns.includes(column));
    const of = nserbench.index.columns;
    const once = columns.filter((column) => !of[column].repeats);
    const averaged = once.length ? once : columns;
    const protocols = new Set(averaged.map((column) => of[column].protocol));
    return protocols.size > 1 ? [] : averaged;
  };

  /** Return the mean of a row over `averaged`; null unless it has a score in all. */
  ofRow.mean = (columns, row) => {
    const values = ofRow.averaged(columns).map((column) => ofRow.value(row, column));
    if (!values.length || values.includes(null)) return null;
    return values.reduce((sum, value) => sum + value, 0) / values.length;
  };

  /** Return the mean of a row as an element that says why there is none. */
  ofRow.meanText = (columns, row) => {
    const mean = ofRow.mean(columns, row);
    if (mean !== null) return el("span", {}, nserbench.percent(mean));
    const all = ofRow.averaged(columns);
    const missing = all.filter((column) => ofRow.value(row, column) === null);
    const title = all.length
      ? `no mean: the row has no score in ${missing.length} of the ${all.length} columns averaged`
      : "no mean: the columns shown are of several protocols";
    return el("span", { class: "none", title }, "\u2013");
  };

  /**
   * Return the mean ranks by the metric, or null.
   *
   * Only the columns of one protocol are ranked; where none of them is shown, the ranks
   * would stand beside scores that they are not of.
   */
  ofRow.ranking = (columns) => {
    const ranks = nserbench.index.ranks[choices.metric];
    return ranks?.columns.some((column) => columns.includes(column)) ? ranks : null;
  };

  /** Return the mean rank of a row and its interval, if it is ranked. */
  ofRow.rank = (ranks, row) => ranks.rows.find(([ranked]) => ranked === row)?.slice(1);

  /** Return a mean rank as text, and its interval. */
  ofRow.rankNumbers = ([rank, low, high]) => {
    const digit = nserbench.oneDigit;
    return [digit(rank), `${digit(low)}\u2013${digit(high)}`];
  };

  /** Return the mean rank of a row as an element that says why there is none. */
  ofRow.rankText = (ranks, row) => {
    const rank = ofRow.rank(ranks, row);
    if (!rank) {
      const title = "not ranked: the row lacks columns that the others share";
      return el("span", { class: "none", title }, "\u2013");
    }
    const [value, bounds] = ofRow.rankNumbers(rank);
    return el("span", {}, value, " ", el("span", { class: "bounds" }, bounds));
  };

  /** Return the best and the second best score of a column, as they are printed. */
  ofRow.twoBest = (column) => {
    const texts = nserbench.index.cells
      .filter((cell) => cell.column === column && cell.scores)
      .map((cell) => nserbench.percent(cell.scores[choices.metric][0]));
    return [...new Set(texts)].sort((a, b) => b - a).slice(0, 2);
  };

  function difference(cell) {
    const change = cell.differences?.[choices.metric];
    if (!change) return null;
    const [value, low, high, p] = change;
    const { points } = nserbench;
    const text = `${points(value)} [${points(low)}, ${points(high)}], p ${nserbench.pValue(p)}`;
    return el("span", { class: "difference" }, text);
  }

  function whyNone(cell) {
    const text = cell.status === "not applicable" ? "n/a" : cell.status;
    const title =
      cell.status === "left out"
        ? "the notes say why it is left out"
        : "click to see why there is no score";
    return el("span", { class: "value missing", title }, text);
  }

  /** Return a link to a cell: its score and difference, or why it has none. */
  ofRow.scoreLink = (row, column, best) => {
    const cell = choices.cell(row, column);
    if (!cell) return el("span");
    const link = address.link({ cell: cell.id }, {});
    if (!cell.scores) {
      link.append(whyNone(cell));
      return link;
    }
    const score = cell.scores[choices.metric];
    const { units, flags, seen } = cell;
    const few = units < nserbench.index.few_units;
    const isBest = nserbench.percent(score[0]) === best;
    link.append(nserbench.score(score, { best: isBest, few, flags, seen }));
    const change = difference(cell);
    if (change) link.append(change);
    return link;
  };

  nserbench.ofRow = ofRow;
})();
