// The leaderboard itself.
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

  /** Give the best value of a column as a reader sees it. */
  function bestShown(column) {
    const { cells } = nserbench.index;
    const found = cells.filter((cell) => cell.column === column && cell.scores);
    if (!found.length) return null;
    return nserbench.percent(
      Math.max(...found.map((cell) => cell.scores[choices.metric][0])),
    );
  }

  function difference(cell) {
    const found = cell.differences && cell.differences[choices.metric];
    if (!found) return null;
    const [value, low, high, p] = found;
    const { points } = nserbench;
    const text = `${points(value)} [${points(low)}, ${points(high)}], p ${p < 0.001 ? "< 0.001" : p.toFixed(3)}`;
    return el("span", { class: "difference" }, text);
  }

  function cellOf(row, column, best) {
    const cell = choices.cell(row, column);
    if (!cell) return el("span");
    const link = el("a", { href: `#cell=${cell.id}` });
    if (cell.scores) {
      const score = cell.scores[choices.metric];
      const few = cell.units < nserbench.index.few_units;
      const isBest = nserbench.percent(score[0]) === best;
      link.append(nserbench.score(score, { best: isBest, few, flags: cell.flags }));
      const against = difference(cell);
      if (against) link.append(against);
    } else {
      const text = cell.status === "not applicable" ? "n/a" : cell.status;
      link.append(
        el("span", { class: "value missing", title: "open to see why" }, text),
      );
    }
    return link;
  }

  function columnTitle(column) {
    const { head, pooled, chance } = nserbench.index.columns[column];
    const [corpus, condition, ...more] = head;
    const guessing = chance[choices.metric];
    const lines = more.map((text) =>
      el(
        "span",
        { class: text.startsWith("chosen") ? "flattering" : "protocol" },
        text,
      ),
    );
    return el(
      "button",
      { class: "sort", type: "button" },
      el("span", {}, corpus),
      el("span", {}, pooled ? `${condition}\u2021` : condition),
      ...lines,
      guessing === null
        ? null
        : el("span", { class: "chance" }, `chance ${nserbench.percent(guessing)}`),
    );
  }

  function columns(places) {
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
      ...places.map((column) => {
        const best = bestShown(column);
        return {
          title: String(column),
          titleFormatter: () => columnTitle(column),
          field: `c${column}`,
          formatter: (cell) => cellOf(cell.getData().row, column, best),
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

  function records(places) {
    return choices.rowPlaces().map((row) => {
      const record = { row, name: nserbench.index.rows[row].join(" ") };
      for (const column of places) {
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
        ? "Mark one row more to compare."
        : "Mark rows to compare them; open a number to see its cell.",
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
      `${title}: ${meaning}, mean of folds (\u2021: all folds together, since one lacks a class), in percent, with its 95 % interval; the line runs from 0 to 100. Best of a column in bold; `,
      el("span", { class: "tied" }),
      ` not significantly below it; \u2020 an interval from fewer than ${few} independent units, so a rough one; chance: guessing, every class equally often; ! a head that is suspect, open the cell to see why.`,
    );
  }

  let sorted = null;

  /** Give the reader's order, or the best of the first column first. */
  function order(places) {
    const kept = (sorted || []).filter(
      ({ column }) => column === "name" || places.includes(Number(column.slice(1))),
    );
    return sorted || !places.length ? kept : [{ column: `c${places[0]}`, dir: "desc" }];
  }

  nserbench.views.table = {
    title: "Leaderboard",
    filters: true,
    draw(main) {
      const places = choices.columns();
      const holder = el("div", { id: "leaderboard" });
      actions = el("div", { class: "actions", "aria-live": "polite" });
      showActions();
      main.append(actions, holder, legend());
      const data = records(places);
      const table = new Tabulator(holder, {
        data,
        columns: columns(places),
        layout: "fitColumns",
        renderVertical: "basic",
        pagination: data.length > PAGE,
        paginationSize: PAGE,
        placeholder: "No row passes the filters.",
        initialSort: order(places),
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
