// What the reader has chosen, as the address says it: metric, filters, ticked rows.
"use strict";

(() => {
  const { el, address } = nserbench;
  const FILTERS = ["upstream", "head", "corpus", "condition", "protocol", "status"];
  const filters = {};
  const choices = { metric: 0, rows: new Set(), filters };
  const cellsByPosition = new Map();

  /** Return the cell of a row and a column, if there is one. */
  choices.cell = (row, column) => cellsByPosition.get(`${row},${column}`);

  /** Return the name of a row as the address has it. */
  choices.rowKey = (row) => nserbench.index.rows[row].join(" x ");

  /** Return the row with a name; -1 if there is none. */
  choices.rowOf = (key) =>
    nserbench.index.rows.findIndex((names) => names.join(" x ") === key);

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
    list.addEventListener("change", () => address.go({ [name]: list.value }));
    return el("label", {}, name, list);
  }

  function fillFilters(form) {
    const text = el("input", {
      type: "search",
      name: "text",
      placeholder: "part of a name",
    });
    text.addEventListener("input", () => address.refine({ text: text.value }));
    form.addEventListener("submit", (event) => event.preventDefault());
    form.append(el("label", {}, "search", text), ...FILTERS.map(select));
  }

  function fillMetrics(list) {
    for (const { name, title, meaning } of nserbench.index.metrics)
      list.append(el("option", { value: name, title: meaning }, title));
    list.addEventListener("change", () => {
      const first = list.value === nserbench.index.metrics[0].name;
      address.go({ metric: first ? null : list.value });
    });
  }

  /** Set a form field, unless it shows the value: the cursor would move to the end. */
  function show(field, value) {
    if (field.value !== value) field.value = value;
  }

  /** Take the choices from the address; what the page does not know is ignored. */
  choices.read = () => {
    const { metrics } = nserbench.index;
    const metric = metrics.findIndex(({ name }) => name === address.get("metric"));
    choices.metric = Math.max(metric, 0);
    filters.text = address.get("text");
    for (const name of FILTERS) {
      const wanted = address.get(name);
      filters[name] = values(name).includes(wanted) ? wanted : "";
    }
    const rows = address.all("row").map(choices.rowOf);
    choices.rows = new Set(rows.filter((row) => row >= 0));
    show(document.getElementById("metric"), metrics[choices.metric].name);
    const form = document.getElementById("filters");
    for (const [name, value] of Object.entries(filters))
      show(form.elements[name], value);
  };

  /** Tick rows, in an order that matters to a comparison. */
  choices.tick = (rows) => {
    choices.rows = new Set(rows);
    address.keep({ row: rows.map(choices.rowKey) });
  };

  /** Fill in the metrics and filters at the top of the page. */
  choices.begin = () => {
    for (const cell of nserbench.index.cells)
      cellsByPosition.set(`${cell.row},${cell.column}`, cell);
    fillMetrics(document.getElementById("metric"));
    fillFilters(document.getElementById("filters"));
  };

  nserbench.choices = choices;
})();
