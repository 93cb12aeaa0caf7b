// Rows side by side, with differences from a paired bootstrap.
"use strict";

(() => {
  const { el, choices, address } = nserbench;

  /** Return Student's t at 97.5 %, interpolated in the values over 1 / freedom. */
  function student(freedom) {
    const logs = nserbench.index.student;
    const position = (logs.length - 1) / freedom;
    const below = Math.min(Math.floor(position), logs.length - 2);
    return Math.exp(logs[below] + (position - below) * (logs[below + 1] - logs[below]));
  }

  /**
   * Return the largest share of errors in all speech that a sample without errors
   * allows; see nserbench.benchmark.results.intervals.unseen.
   */
  function unseen(size, freedom) {
    const ratio = Math.min(student(size - 1) / student(freedom), 1);
    return -Math.expm1(Math.log(0.025) / (size * ratio ** 2));
  }

  /** Return the smallest standard error of a difference; see least_error there. */
  function leastError(difference, freedom, size) {
    const share = Math.min(Math.abs(difference), 1);
    const hidden = unseen(size, freedom) / student(freedom);
    return Math.max(Math.sqrt((share * (1 - share)) / size), hidden);
  }

  /** Return the variance of a mean over seeds, and its freedom; 0 with one seed. */
  function spread(seeds) {
    const mean = seeds.reduce((sum, seed) => sum + seed, 0) / seeds.length;
    const squares = seeds.reduce((sum, seed) => sum + (seed - mean) ** 2, 0);
    const freedom = seeds.length - 1;
    return [freedom && squares / freedom / seeds.length, freedom];
  }

  /** Return the variance over seeds: of differences if both rows have the same seeds. */
  function spreads(cell, baseCell, sample, base) {
    const seeds = [cell, baseCell].map(({ runs }) =>
      runs.map((run) => run.seed).join(),
    );
    if (seeds[0] !== seeds[1]) return [spread(sample.seeds), spread(base.seeds)];
    return [spread(sample.seeds.map((seed, index) => seed - base.seeds[index]))];
  }

  /**
   * Return the difference of two cells with its 95 % interval, computed as in
   * nserbench.leaderboard.analysis.statistics.Sample.minus.
   */
  nserbench.difference = (cell, baseCell, metric) => {
    const [sample, base] = [cell, baseCell].map(({ samples }) => samples[metric]);
    const value = sample.value - base.value;
    const { units } = cell;
    if (cell.tested !== baseCell.tested || !sample.draws || !base.draws)
      return { value };
    const draws = nserbench.draws(sample.draws);
    const baseDraws = nserbench.draws(base.draws);
    const squares = draws.map((draw, index) => (draw - baseDraws[index] - value) ** 2);
    const sampling = squares.reduce((sum, square) => sum + square, 0) / squares.length;
    const parts = [
      [(sampling * units) / (units - 1), units - 1],
      ...spreads(cell, baseCell, sample, base),
    ].filter(([part]) => part > 0);
    const variance = parts.reduce((sum, [part]) => sum + part, 0);
    const shares = parts.reduce((sum, [part, freedom]) => sum + part ** 2 / freedom, 0);
    const freedom = variance ? variance ** 2 / shares : units - 1;
    const error = Math.max(
      Math.sqrt(variance),
      leastError(value, freedom, sample.size),
    );
    // With so few units no difference can be significant at the 5 % level.
    const least = 2 ** (1 - units) > 0.05 ? Math.abs(value) : 0;
    const margin = Math.max(student(freedom) * error, least);
    const bounds = [Math.max(value - margin, -1), Math.min(value + margin, 1)];
    return { value, bounds };
  };

  const rowName = (row) => {
    const [upstream, head] = nserbench.index.rows[row];
    return `${nserbench.cut(upstream)} \u00d7 ${nserbench.cut(head)}`;
  };

  /** Return the difference to the base and its interval, or why it has none. */
  async function differenceTo(base, cell, metric) {
    if (!cell?.scores || !base?.scores) return null;
    const [details, baseDetails] = await Promise.all(
      [cell, base].map(({ id }) => nserbench.details(id)),
    );
    const reason =
      details.tested === baseDetails.tested
        ? "no interval: one independent unit"
        : "no interval: tested on different utterances";
    return { reason, ...nserbench.difference(details, baseDetails, metric) };
  }

  function differenceCell(difference, range) {
    if (!difference) return "";
    const { points, bar } = nserbench;
    const { value, reason, bounds } = difference;
    if (!bounds) {
      const note = el("span", { class: "bounds" }, reason);
      return el("span", {}, `${points(value)} `, note);
    }
    const [low, high] = bounds;
    const excludesZero = low > 0 || high < 0;
    return el(
      "span",
      { class: "cell" },
      el("span", { class: excludesZero ? "value best" : "value" }, points(value)),
      " ",
      el("span", { class: "bounds" }, `${points(low)} to ${points(high)}`),
      bar(value, low, high, [-range, range], 0, true),
    );
  }

  function columnName(column) {
    const { head, pooled } = nserbench.index.columns[column];
    const [corpus, condition, ...more] = head;
    return [corpus, pooled ? `${condition}\u2021` : condition, ...more].join(" ");
  }

  /** Return the columns in which any of the rows has a score. */
  const columnsOf = (rows) =>
    choices
      .columns()
      .filter((column) => rows.some((row) => choices.cell(row, column)?.scores));

  async function lines([base, ...others], metric) {
    const columns = columnsOf([base, ...others]);
    const differences = await Promise.all(
      columns.map((column) => {
        const first = choices.cell(base, column);
        return Promise.all(
          others.map((row) => differenceTo(first, choices.cell(row, column), metric)),
        );
      }),
    );
    const ends = differences.flat().flatMap((difference) => difference?.bounds || []);
    const range = Math.max(0.02, ...ends.map(Math.abs));
    const score = (row, column) => {
      const cell = choices.cell(row, column);
      if (!cell?.scores) return "";
      const { units, flags, seen } = cell;
      const few = units < nserbench.index.few_units;
      return nserbench.score(cell.scores[choices.metric], { few, flags, seen });
    };
    return columns.map((column, line) => [
      columnName(column),
      score(base, column),
      ...others.flatMap((row, number) => [
        score(row, column),
        differenceCell(differences[line][number], range),
      ]),
    ]);
  }

  nserbench.views.compare = {
    title: "Compare",
    filters: true,
    hidden: true,
    within: "table",
    async draw(main) {
      const rows = [...choices.rows];
      if (rows.length < 2) {
        main.append(
          el("p", {}, "Tick two or more rows of the leaderboard to compare them."),
        );
        return;
      }
      const { name, title } = nserbench.index.metrics[choices.metric];
      const heads = ["corpus and condition", rowName(rows[0])];
      for (const row of rows.slice(1)) heads.push(rowName(row), "difference");
      const tableLines = await lines(rows, name);
      const otherBase = [...rows.slice(1), rows[0]];
      main.append(
        el("h2", {}, `${title}, side by side`),
        el(
          "p",
          { class: "soft" },
          `Differences to ${rowName(rows[0])} in percentage points, with 95 % intervals from a paired bootstrap: both rows are resampled by the same speakers (or other units). Bold: the interval does not include 0. There is no correction for multiple comparisons. With a single seed, the interval does not include the variation between seeds.`,
        ),
        el(
          "div",
          { class: "actions" },
          address.link(
            { row: otherBase.map(choices.rowKey) },
            { class: "button" },
            `Show differences to ${rowName(otherBase[0])}`,
          ),
        ),
        nserbench.plainTable(heads, tableLines, { numbers: false }),
      );
    },
  };
})();
