// What the reader has chosen: a metric, filters, rows to compare.
"use strict";

(() => {
  const { el } = nserbench;
  const FILTERS = ["upstream", "head", "corpus", "condition", "protocol", "status"];
  const filters = {
    text: "",
    ...Object.fromEntries(FILTERS.map((name) => [name, ""])),
  };
  const choices = { metric: 0, rows: new Set(), filters };
  const places = new Map();

  /** Give the cell where a row and a column meet, if there is one. */
  choices.cell = (row, column) => places.get(`${row},${column}`);

  const fits = (wanted, value) => !wanted || wanted === value;

  const columnFits = (column) =>
    fits(filters.corpus, column.corpus) &&
    fits(filters.condition, column.condition) &&
    fits(filters.protocol, column.protocol);

  /** Give the places in the index of the columns that pass the filters. */
  choices.columns = () =>
    [...nserbench.index.columns.keys()].filter((place) =>
      columnFits(nserbench.index.columns[place]),
    );

  /** Say whether an upstream and a head pass the filters. */
  choices.named = (upstream, head) =>
    fits(filters.upstream, upstream) &&
    fits(filters.head, head) &&
    `${upstream} ${head}`.toLowerCase().includes(filters.text.toLowerCase());

  /** Give the places in the index of the rows that pass the filters. */
  choices.rowPlaces = () => {
    const columns = choices.columns();
    return [...nserbench.index.rows.keys()].filter((row) => {
      const cells = columns.map((column) => choices.cell(row, column)).filter(Boolean);
      return (
        choices.named(...nserbench.index.rows[row]) &&
        cells.some((cell) => fits(filters.status, cell.status))
      );
    });
  };

  /** Keep the rows that are marked for comparison; the best few if none is. */
  choices.few = (rows, worth, most = 8) => {
    const marked = rows.filter((row) => choices.rows.has(row));
    if (marked.length) return marked;
    return [...rows].sort((one, other) => worth(other) - worth(one)).slice(0, most);
  };

  const changed = () => document.dispatchEvent(new Event("choice"));

  function values(name) {
    const { rows, columns, cells } = nserbench.index;
    const found = {
      upstream: () => rows.map(([upstream]) => upstream),
      head: () => rows.map(([, head]) => head),
      status: () => cells.map((cell) => cell.status),
    };
    const all = found[name] ? found[name]() : columns.map((column) => column[name]);
    return [...new Set(all)];
  }

  function select(name) {
    const known = values(name);
    const list = el("select", {
      name,
      id: `filter-${name}`,
      disabled: known.length < 2,
    });
    list.append(el("option", { value: "" }, "all"));
    list.append(
      ...known.map((one) => el("option", { value: one }, nserbench.cut(one, 60))),
    );
    list.addEventListener("change", () => {
      filters[name] = list.value;
      changed();
    });
    return el("label", {}, name, list);
  }

  function fillFilters(form) {
    const text = el("input", {
      type: "search",
      name: "text",
      placeholder: "any part of a name",
    });
    text.addEventListener("input", () => {
      filters.text = text.value;
      changed();
    });
    form.addEventListener("submit", (event) => event.preventDefault());
    form.append(el("label", {}, "search", text), ...FILTERS.map(select));
  }

  function fillMetrics(list) {
    nserbench.index.metrics.forEach(({ title, meaning }, place) =>
      list.append(el("option", { value: place, title: meaning }, title)),
    );
    list.addEventListener("change", () => {
      choices.metric = Number(list.value);
      changed();
    });
  }

  /** Fill the controls at the top of the page. */
  choices.begin = () => {
    for (const cell of nserbench.index.cells)
      places.set(`${cell.row},${cell.column}`, cell);
    fillMetrics(document.getElementById("metric"));
    fillFilters(document.getElementById("filters"));
  };

  nserbench.choices = choices;
})();
