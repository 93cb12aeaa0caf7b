// The table of all scores.
"use strict";

(() => {
  const { el, choices } = nserbench;
  const PAGE = 50;

  function rowName(row) {
    const [upstream, head] = nserbench.index.rows[row];
    const box = el("input", {
      type: "checkbox",
      "aria-label": `compare ${upstream} ${head}`,
    });
    box.checked = choices.rows.has(row);
    box.addEventListener("change", () => {
      if (box.checked) choices.rows.add(row);
      else choices.rows.delete(row);
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

  /** Return the best score of a column as it is printed. */
  function bestShown(column) {
    const { cells } = nserbench.index;
    const scored = cells.filter((cell) => cell.column === column && cell.scores);
    if (!scored.length) return null;
    return nserbench.percent(
      Math.max(...scored.map((cell) => cell.scores[choices.metric][0])),
    );
  }

  function difference(cell) {
    const change = cell.differences?.[choices.metric];
    if (!change) return null;
    const [value, low, high, p] = change;
    const { points } = nserbench;
    const text = `${points(value)} [${points(low)}, ${points(high)}], p ${p < 0.001 ? "< 0.001" : p.toFixed(3)}`;
    return el("span", { class: "difference" }, text);
  }

  function scoreLink(row, column, best) {
    const cell = choices.cell(row, column);
    if (!cell) return el("span");
    const link = el("a", { href: `#cell=${cell.id}` });
    if (cell.scores) {
      const score = cell.scores[choices.metric];
      const few = cell.units < nserbench.index.few_units;
      const isBest = nserbench.percent(score[0]) === best;
      link.append(nserbench.score(score, { best: isBest, few, flags: cell.flags }));
      const change = difference(cell);
      if (change) link.append(change);
    } else {
      const text = cell.status === "not applicable" ? "n/a" : cell.status;
      link.append(
        el(
          "span",
          { class: "value missing", title: "click to see why there is no score" },
          text,
        ),
      );
    }
    return link;
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

  function tableColumns(columns) {
    const narrow = innerWidth < 600;
    const name = {
      title: "upstream and head",
      titleFormatter: () =>
        el("button", { class: "sort", type: "button" }, "upstream", el("br"), "head"),
      field: "name",
      formatter: (cell) => rowName(cell.getData().row),
      frozen: true,
      width: narrow ? 146 : 255,
      sorter: "alphanum",
      resizable: false,
    };
    return [
      name,
      ...columns.map((column) => {
        const best = bestShown(column);
        return {
          title: String(column),
          titleFormatter: () => columnTitle(column),
          field: `c${column}`,
          formatter: (cell) => scoreLink(cell.getData().row, column, best),
          minWidth: 140,
          maxWidth: 220,
          sorter: "number",
          sorterParams: { alignEmptyValues: "bottom" },
          headerSortStartingDir: "desc",
          resizable: false,
        };
      }),
    ];
  }

  function records(columns) {
    return choices.rowIndices().map((row) => {
      const record = { row, name: nserbench.index.rows[row].join(" ") };
      for (const column of columns) {
        const scores = choices.cell(row, column)?.scores;
        record[`c${column}`] = scores ? scores[choices.metric][0] : null;
      }
      return record;
    });
  }

  let actions = null;

  function showActions() {
    const count = choices.rows.size;
    const link = el("a", {
      class: "button",
      href: `#compare=${[...choices.rows].join(",")}`,
    });
    link.append(`Compare ${count} rows`);
    const clear = el("button", { type: "button" }, "Clear");
    clear.addEventListener("click", () => {
      choices.rows.clear();
      document.dispatchEvent(new Event("choice"));
    });
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
      `: not significantly below the best. \u2021: all folds scored together, since a fold lacks a class. \u2020: fewer than ${few} independent units (such as speakers), so the interval is rough. !: a suspect head; click the score to see why. Chance: the score of guessing every class equally often.`,
    );
  }

  let sorted = null;

  /** Return the reader's order, or the best scores of the first column first. */
  function order(columns) {
    const kept = (sorted || []).filter(
      ({ column }) => column === "name" || columns.includes(Number(column.slice(1))),
    );
    return sorted || !columns.length
      ? kept
      : [{ column: `c${columns[0]}`, dir: "desc" }];
  }

  nserbench.views.table = {
    title: "Leaderboard",
    filters: true,
    draw(main) {
      const columns = choices.columns();
      const holder = el("div", { id: "leaderboard" });
      actions = el("div", { class: "actions", "aria-live": "polite" });
      showActions();
      main.append(actions, holder, legend());
      const data = records(columns);
      const table = new Tabulator(holder, {
        data,
        columns: tableColumns(columns),
        layout: "fitColumns",
        renderVertical: "basic",
        pagination: data.length > PAGE,
        paginationSize: PAGE,
        placeholder: "No row matches the filters.",
        initialSort: order(columns),
        rowFormatter: (row) =>
          row
            .getElement()
            .classList.toggle("chosen", choices.rows.has(row.getData().row)),
        columnHeaderSortMulti: false,
      });
      table.on("headerClick", () => {
        sorted = table.getSorters().map(({ field, dir }) => ({ column: field, dir }));
      });
      return () => table.destroy();
    },
  };
})();
