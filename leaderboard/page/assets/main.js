// Opens the view that the address names.
"use strict";

(() => {
  const { el, views, choices, address } = nserbench;
  const FIRST = "table";
  let closeView = null;
  let drawings = 0;
  let place = null;

  const offered = (name) =>
    Object.hasOwn(views, name) && (views[name].offered?.() ?? true);

  /** Return the name of the view: that of a cell, or one that has something to show. */
  function viewName() {
    const wanted = address.get("view");
    if (address.get("cell")) return "cell";
    return offered(wanted) && wanted !== "cell" ? wanted : FIRST;
  }

  function showLinks(current) {
    const nav = document.getElementById("views");
    const shown = views[current].within || current;
    const links = Object.keys(views)
      .filter((name) => !views[name].hidden && offered(name))
      .map((name) =>
        address.link(
          { view: name === FIRST ? null : name, cell: null },
          { "aria-current": name === shown ? "page" : null },
          views[name].title,
        ),
      );
    nav.replaceChildren(...links);
    const { left, right } = nav.querySelector("[aria-current]").getBoundingClientRect();
    const frame = nav.getBoundingClientRect();
    if (right > frame.right) nav.scrollLeft += right - frame.right;
    if (left < frame.left) nav.scrollLeft -= frame.left - left;
  }

  /** Draw the view that the address names; a later call replaces an earlier one. */
  async function draw() {
    choices.read();
    const name = viewName();
    const drawing = ++drawings;
    const container = el("div", { id: `view-${name}` });
    closeView?.();
    closeView = null;
    nserbench.dropCharts();
    showLinks(name);
    document.getElementById("filterbox").hidden = !views[name].filters;
    document.getElementById("main").replaceChildren(container);
    moveToTop(`${name} ${address.get("cell")}`);
    try {
      const close = await views[name].draw(container);
      if (drawing !== drawings) close?.();
      else closeView = close || null;
    } catch (error) {
      container.append(
        el("p", { class: "note" }, `This view cannot be shown: ${error.message}`),
      );
      throw error;
    }
  }

  function focusMain() {
    document.getElementById("main").focus({ preventScroll: true });
  }

  /** Begin another view or cell at its top; a change of its filters moves nothing. */
  function moveToTop(next) {
    if (place !== null && place !== next) {
      focusMain();
      scrollTo(0, 0);
    }
    place = next;
  }

  function showFrame() {
    const { rows, columns, cells, version, finished } = nserbench.index;
    const done = cells.filter((cell) => cell.scores).length;
    const corpora = new Set(columns.map((column) => column.corpus)).size;
    const { counted } = nserbench;
    document.getElementById("summary").textContent = [
      `${counted(rows.length, "pair")} of an upstream and a head`,
      `${counted(columns.length, "test condition")} in ${counted(corpora, "corpus", "corpora")}`,
      `${counted(done, "score")}. Newest result: ${nserbench.date(finished)}.`,
    ].join(", ");
    document
      .getElementById("footer")
      .append(
        el(
          "p",
          {},
          `Made by nserbench ${version}. All scores are computed from predictions. `,
          address.link({ view: "sources", cell: null }, {}, "How to cite it"),
          ". The table uses Tabulator, the plots use Apache ECharts; their licences are in vendor/.",
        ),
      );
  }

  choices.begin();
  document.getElementById("filterbox").open = innerWidth > 600;
  showFrame();
  document.addEventListener("address", draw);
  addEventListener("hashchange", draw);
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault(); // the address has the choices
    focusMain();
  });
  draw();
})();
