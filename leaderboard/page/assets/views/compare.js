// Rows side by side, with their differences, drawn from the same bootstrap.
"use strict";

(() => {
  const { el, choices } = nserbench;

  /** Student's t at 97.5 %, between the values that the index has over 1 / freedom. */
  function student(freedom) {
    const logs = nserbench.index.student;
    const place = (logs.length - 1) / freedom;
    const below = Math.min(Math.floor(place), logs.length - 2);
    return Math.exp(logs[below] + (place - below) * (logs[below + 1] - logs[below]));
  }

  /** The largest share of answers that may be so without one being seen; see
   * nserbench.benchmark.results.intervals.unseen. */
  function unseen(size, freedom) {
    const ratio = Math.min(student(size - 1) / student(freedom), 1);
    return -Math.expm1(Math.log(0.025) / (size * ratio ** 2));
  }

  /** The smallest error that a difference can have; see least_error beside it. */
  function leastError(difference, freedom, size) {
    const share = Math.min(Math.abs(difference), 1);
    const hidden = unseen(size, freedom) / student(freedom);
    return Math.max(Math.sqrt((share * (1 - share)) / size), hidden);
  }

  /** The variance of a mean from seed to seed, and its freedom; 0 with one seed. */
  function spread(seeds) {
    const mean = seeds.reduce((sum, seed) => sum + seed, 0) / seeds.length;
    const squares = seeds.reduce((sum, seed) => sum + (seed - mean) ** 2, 0);
    const freedom = seeds.length - 1;
    return [freedom && squares / freedom / seeds.length, freedom];
  }

  /** What differs from seed to seed: the changes where both have the same seeds. */
  function spreads(one, other, mine, base) {
    const [own, its] = [one, other].map((cell) => cell.runs.map((run) => run.seed));
    if (own.join() !== its.join()) return [spread(mine.seeds), spread(base.seeds)];
    return [spread(mine.seeds.map((seed, at) => seed - base.seeds[at]))];
  }

  /** Subtract draw by draw, as nserbench.leaderboard.analysis.statistics.Sample.minus does. */
  nserbench.difference = (one, other, metric) => {
    const [mine, base] = [one, other].map((cell) => cell.samples[metric]);
    const value = mine.value - base.value;
    if (one.tested !== other.tested || !mine.draws || !base.draws) return { value };
    const drawn = nserbench.draws(mine.draws);
    const against = nserbench.draws(base.draws);
    const squares = drawn.map((draw, at) => (draw - against[at] - value) ** 2);
    const sampling = squares.reduce((sum, square) => sum + square, 0) / squares.length;
    const parts = [
      [(sampling * one.units) / (one.units - 1), one.units - 1],
      ...spreads(one, other, mine, base),
    ].filter(([part]) => part > 0);
    const variance = parts.reduce((sum, [part]) => sum + part, 0);
    const shares = parts.reduce((sum, [part, freedom]) => sum + part ** 2 / freedom, 0);
    const freedom = variance ? variance ** 2 / shares : one.units - 1;
    const error = Math.max(Math.sqrt(variance), leastError(value, freedom, mine.size));
    // No test of so few units can reach the level, whatever they answered.
    const least = 2 ** (1 - one.units) > 0.05 ? Math.abs(value) : 0;
    const reach = Math.max(student(freedom) * error, least);
    return { value, bounds: [Math.max(value - reach, -1), Math.min(value + reach, 1)] };
  };

  const named = (row) => {
    const [upstream, head] = nserbench.index.rows[row];
    return `${nserbench.cut(upstream)} \u00d7 ${nserbench.cut(head)}`;
  };

  /** Give the difference to the base and its interval, or why there is none. */
  async function against(cell, base, metric) {
    if (!cell?.scores || !base?.scores) return null;
    const [mine, other] = await Promise.all(
      [cell, base].map((one) => nserbench.details(one.id)),
    );
    const same = mine.tested === other.tested;
    const why = same
      ? "one independent unit, no interval"
      : "tested on other utterances";
    return { why, ...nserbench.difference(mine, other, metric) };
  }

  function shown(found, reach) {
    if (!found) return "";
    const { points, bar } = nserbench;
    const { value, why, bounds } = found;
    if (!bounds)
      return el("span", {}, `${points(value)} `, el("span", { class: "bounds" }, why));
    const [low, high] = bounds;
    const clear = low > 0 || high < 0;
    return el(
      "span",
      { class: "cell" },
      el("span", { class: clear ? "value best" : "value" }, points(value)),
      " ",
      el("span", { class: "bounds" }, `${points(low)} to ${points(high)}`),
      bar(value, low, high, [-reach, reach], 0, true),
    );
  }

  function columnName(column) {
    const { head, pooled } = nserbench.index.columns[column];
    const [corpus, condition, ...more] = head;
    return [corpus, pooled ? `${condition}\u2021` : condition, ...more].join(" ");
  }

  /** Give the columns in which any of the rows is done. */
  const shared = (rows) =>
    choices
      .columns()
      .filter((column) => rows.some((row) => choices.cell(row, column)?.scores));

  async function lines([base, ...others], metric) {
    const columns = shared([base, ...others]);
    const found = await Promise.all(
      columns.map((column) => {
        const first = choices.cell(base, column);
        return Promise.all(
          others.map((row) => against(choices.cell(row, column), first, metric)),
        );
      }),
    );
    const ends = found.flat().flatMap((one) => one?.bounds || []);
    const reach = Math.max(0.02, ...ends.map(Math.abs));
    const score = (row, column) => {
      const cell = choices.cell(row, column);
      if (!cell?.scores) return "";
      const few = cell.units < nserbench.index.few_units;
      return nserbench.score(cell.scores[choices.metric], { few, flags: cell.flags });
    };
    return columns.map((column, at) => [
      columnName(column),
      score(base, column),
      ...others.flatMap((row, other) => [
        score(row, column),
        shown(found[at][other], reach),
      ]),
    ]);
  }

  nserbench.views.compare = {
    title: "Compare",
    filters: true,
    hidden: true,
    within: "table",
    async draw(main, argument) {
      const known = nserbench.index.rows;
      const rows = [...new Set(argument.split(",").map(Number))].filter(
        (row) => known[row],
      );
      if (rows.length < 2) {
        main.append(
          el("p", {}, "Mark two rows or more of the leaderboard to compare them."),
        );
        return;
      }
      const { name, title } = nserbench.index.metrics[choices.metric];
      const heads = ["corpus and condition", named(rows[0])];
      for (const row of rows.slice(1)) heads.push(named(row), "difference");
      const found = await lines(rows, name);
      const turned = [...rows.slice(1), rows[0]];
      main.append(
        el("h2", {}, `${title}, side by side`),
        el(
          "p",
          { class: "soft" },
          `Differences are to ${named(rows[0])}, in points, with a 95 % interval: both are drawn on the same units, draw by draw. Bold where it leaves out zero. Nothing is corrected for looking at several, and with one seed what another seed would change is not in it.`,
        ),
        el(
          "div",
          { class: "actions" },
          el(
            "a",
            { class: "button", href: `#compare=${turned}` },
            `Take ${named(turned[0])} as the base`,
          ),
        ),
        nserbench.plainTable(heads, found, { numbers: false }),
      );
    },
  };
})();
