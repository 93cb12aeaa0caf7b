// What the reader has chosen: the metric, the filters, the rows to compare.
"use strict";

(() => {
  const { el } = nserbench;
  const FILTERS = ["upstream", "head", "corpus", "condition", "protocol", "status"];
  const filters = {
    text: "",
    ...Object.fromEntries(FILTERS.map((name) => [name, ""])),
  };
  const choices = { metric: 0, rows: new Set(), filters };
  const cellsByPosition = new Map();

  /** Return the cell of a row and a column, if there is one. */
  choices.cell = (row, column) => cellsByPosition.get(`${row},${column}`);

  const matches = (wanted, value) => !wanted || wanted === value;

  const columnMatches = (column) =>
    matches(filters.corpus, column.corpus) &&
    matches(filters.condition, column.condition) &&
    matches(filters.protocol, column.protocol);

  /** Return the indices of the columns that match the filters. */
  choices.columns = () =>
    [...nserbench.index.columns.keys()].filter((column) =>
      columnMatches(nserbench.index.columns[column]),
    );

  /** Return whether an upstream and a head match the filters. */
  choices.namesMatch = (upstream, head) =>
    matches(filters.upstream, upstream) &&
    matches(filters.head, head) &&
    `${upstream} ${head}`.toLowerCase().includes(filters.text.toLowerCase());

  /** Return the indices of the rows that match the filters. */
  choices.rowIndices = () => {
    const columns = choices.columns();
    return [...nserbench.index.rows.keys()].filter((row) => {
      const cells = columns.map((column) => choices.cell(row, column)).filter(Boolean);
      return (
        choices.namesMatch(...nserbench.index.rows[row]) &&
        cells.some((cell) => matches(filters.status, cell.status))
      );
    });
  };

  const changed = () => document.dispatchEvent(new Event("choice"));

  function values(name) {
    const { rows, columns, cells } = nserbench.index;
    const getters = {
      upstream: () => rows.map(([upstream]) => upstream),
      head: () => rows.map(([, head]) => head),
      status: () => cells.map((cell) => cell.status),
    };
    const all = getters[name] ? getters[name]() : columns.map((column) => column[name]);
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
      ...known.map((value) => el("option", { value }, nserbench.cut(value, 60))),
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
      placeholder: "part of a name",
    });
    text.addEventListener("input", () => {
      filters.text = text.value;
      changed();
    });
    form.addEventListener("submit", (event) => event.preventDefault());
    form.append(el("label", {}, "search", text), ...FILTERS.map(select));
  }

  function fillMetrics(list) {
    for (const [number, { title, meaning }] of nserbench.index.metrics.entries())
      list.append(el("option", { value: number, title: meaning }, title));
    list.addEventListener("change", () => {
      choices.metric = Number(list.value);
      changed();
    });
  }

  /** Fill in the metrics and filters at the top of the page. */
  choices.begin = () => {
    for (const cell of nserbench.index.cells)
      cellsByPosition.set(`${cell.row},${cell.column}`, cell);
    fillMetrics(document.getElementById("metric"));
    fillFilters(document.getElementById("filters"));
  };

  nserbench.choices = choices;
})();
