// The table of all scores.
"use strict";

(() => {
  const { el, choices, address, ofRow } = nserbench;
  const PAGE = 50;
  /** Widths in pixels; on a phone 400 px wide the first score is whole. */
  const WIDE = { name: 255, rank: 112, mean: 92, score: 140 };
  const NARROW = { name: 126, rank: 70, mean: 66, score: 110 };
  const widths = () => (innerWidth < 600 ? NARROW : WIDE);

  function rowName(row) {
    const [upstream, head] = nserbench.index.rows[row];
    const box = el("input", {
      type: "checkbox",
      "aria-label": `compare ${upstream} ${head}`,
    });
    box.checked = choices.rows.has(row);
    box.addEventListener("change", () => {
      const others = [...choices.rows].filter((other) => other !== row);
      choices.tick(box.checked ? [...others, row] : others);
      box.closest(".tabulator-row").classList.toggle("chosen", box.checked);
      showActions();
    });
    const names = el(
      "span",
      { class: "text", title: `${upstream} ${head}`.slice(0, 400) },
      el("span", { class: "upstream" }, ...nserbench.breakable(upstream)),
      el("span", { class: "head" }, ...nserbench.breakable(head)),
    );
    return el("label", { class: "row-name" }, box, names);
  }

  function columnTitle(column) {
    const { head, pooled, chance } = nserbench.index.columns[column];
    const [corpus, condition, ...more] = head;
    const chanceLevel = chance[choices.metric];
    const lines = more.map((text) =>
      el("span", { class: text.startsWith("chosen") ? "warning" : "protocol" }, text),
    );
    return el(
      "button",
      { class: "sort", type: "button" },
      el("span", {}, corpus),
      el("span", {}, pooled ? `${condition}\u2021` : condition),
      ...lines,
      chanceLevel === null
        ? null
        : el("span", { class: "chance" }, `chance ${nserbench.percent(chanceLevel)}`),
    );
  }

  /** Return a column of the table, without its formatter. */
  const plainColumn = (field, title, sizes) => ({
    title: field,
    field,
    titleFormatter: title,
    sorter: "number",
    sorterParams: { alignEmptyValues: "bottom" },
    headerSortStartingDir: "desc",
    resizable: false,
    ...sizes,
  });

  const sortButton = (title, first, second) => () =>
    el("button", { class: "sort", type: "button", title }, first, el("br"), second);

  const nameColumn = () => ({
    ...plainColumn("name", sortButton(null, "upstream", "head"), {
      width: widths().name,
    }),
    formatter: (cell) => rowName(cell.getData().row),
    frozen: true,
    sorter: "alphanum",
    headerSortStartingDir: "asc",
  });

  function rankColumn(ranks) {
    const title = `${ranks.note}. It is of the whole leaderboard, whatever the filters.`;
    return {
      ...plainColumn("rank", sortButton(title, "mean", "rank"), {
        width: widths().rank,
      }),
      formatter: (cell) => ofRow.rankText(ranks, cell.getData().row),
      headerSortStartingDir: "asc",
    };
  }

  function meanColumn(columns) {
    const { title: metric } = nserbench.index.metrics[choices.metric];
    const count = ofRow.averaged(columns).length;
    const title = `Mean ${metric} of ${count} of the columns that are shown, for rows that have a score in all ${count}. Averaged are columns of one protocol, none of them chosen on the test set, and no recordings twice.`;
    return {
      ...plainColumn("mean", sortButton(title, "mean", metric), {
        width: widths().mean,
      }),
      formatter: (cell) => ofRow.meanText(columns, cell.getData().row),
    };
  }

  const scoreColumn = (column) => {
    const best = ofRow.twoBest(column)[0];
    return {
      ...plainColumn(`c${column}`, () => columnTitle(column), {
        minWidth: widths().score,
        maxWidth: 220,
      }),
      formatter: (cell) => ofRow.scoreLink(cell.getData().row, column, best),
    };
  };

  function tableColumns(columns, ranks) {
    return [
      nameColumn(),
      ...(ranks ? [rankColumn(ranks)] : []),
      ...(columns.length > 1 ? [meanColumn(columns)] : []),
      ...columns.map(scoreColumn),
    ];
  }

  /** Return the rows that match the filters, those with a score first. */
  function orderedRows(columns) {
    const hasScore = (row) => columns.some((one) => ofRow.value(row, one) !== null);
    return choices.rowIndices().sort((a, b) => hasScore(b) - hasScore(a));
  }

  function records(columns, ranks) {
    return orderedRows(columns).map((row) => ({
      row,
      name: nserbench.index.rows[row].join(" "),
      rank: ranks ? (ofRow.rank(ranks, row)?.[0] ?? null) : null,
      mean: ofRow.mean(columns, row),
      ...Object.fromEntries(
        columns.map((column) => [`c${column}`, ofRow.value(row, column)]),
      ),
    }));
  }

  let actions = null;

  function showActions() {
    const count = choices.rows.size;
    const compare = { class: "button" };
    const link = address.link({ view: "compare" }, compare, `Compare ${count} rows`);
    const clear = el("button", { type: "button" }, "Clear");
    clear.addEventListener("click", () => address.go({ row: [] }));
    const hint = el(
      "span",
      { class: "soft" },
      count
        ? "Tick one more row to compare them."
        : "Tick rows to compare them. Click a score to see its details.",
    );
    actions.replaceChildren(
      ...(count > 1 ? [link] : [hint]),
      ...(count ? [clear] : []),
    );
  }

  function legend() {
    const { metrics, few_units: few } = nserbench.index;
    const { title, meaning } = metrics[choices.metric];
    return el(
      "p",
      { class: "soft" },
      `${title}: ${meaning} in percent, mean over folds, with its 95 % interval; the bar runs from 0 to 100. Bold: the best score of a column. `,
      el("span", { class: "tied" }),
      `: not significantly below the best. \u2021: all folds scored together, since a fold lacks a class. \u2020: fewer than ${few} independent units (such as speakers), so the interval is rough. !: a suspect head; click the score to see why. \u00a7: the upstream was trained on this corpus. Chance: the score of guessing every class equally often. Mean rank: 1 is best; Notes say of which columns. Mean ${title}: of the ranked columns that are shown, if a row has all of them.`,
    );
  }

  /** Return the name of a column of the table in the address. */
  const sortKey = (field) => {
    const { corpus, condition, protocol } =
      nserbench.index.columns[Number(field.slice(1))] ?? {};
    return corpus ? `${corpus} ${condition} ${protocol}` : field;
  };

  /** Return the order that the address names, or else the best rank or score first. */
  function order(fields) {
    const field = fields.find((known) => sortKey(known) === address.get("sort"));
    if (field)
      return [{ column: field, dir: address.get("order") === "asc" ? "asc" : "desc" }];
    const first = fields.find((known) => known !== "name");
    return first ? [{ column: first, dir: first === "rank" ? "asc" : "desc" }] : [];
  }

  function noteOrder(table) {
    const [{ field, dir }] = table.getSorters();
    address.note({ sort: sortKey(field), order: dir });
  }

  nserbench.views.table = {
    title: "Leaderboard",
    filters: true,
    draw(main) {
      const columns = choices.columns();
      const ranks = ofRow.ranking(columns);
      const holder = el("div", { id: "leaderboard" });
      actions = el("div", { "aria-live": "polite" });
      showActions();
      const data = records(columns, ranks);
      const fields = tableColumns(columns, ranks);
      const bar = el("div", { class: "actions" }, actions);
      if (!data.length) {
        main.append(bar, el("p", {}, "No row matches the filters."));
        return null;
      }
      main.append(bar, holder, legend());
      const table = new Tabulator(holder, {
        data,
        columns: fields,
        layout: "fitColumns",
        renderVertical: "basic",
        pagination: data.length > PAGE,
        paginationSize: PAGE,
        initialSort: order(fields.map(({ field }) => field)),
        rowFormatter: (row) =>
          row
            .getElement()
            .classList.toggle("chosen", choices.rows.has(row.getData().row)),
        columnHeaderSortMulti: false,
      });
      table.on("headerClick", () => noteOrder(table));
      // A grid may hold nothing focusable but rows; their links scroll it.
      table.on("tableBuilt", () =>
        holder.querySelector(".tabulator-tableholder").removeAttribute("tabindex"),
      );
      const shown = () => ({
        rows: table.getData("active").map(({ row }) => row),
        columns,
        ranks,
      });
      bar.append(nserbench.downloads(shown));
      const close = nserbench.keepPaper(holder, shown);
      return () => {
        close();
        table.destroy();
      };
    },
  };
})();
