// Opens the view that the address names: #NAME, #cell=ID or #compare=ROW,ROW.
"use strict";

(() => {
  const { el, views, choices } = nserbench;
  const FIRST = "table";
  let closeView = null;
  let drawings = 0;

  function address() {
    const [name, argument = ""] = location.hash.slice(1).split(/=(.*)/s);
    return views[name] ? [name, argument] : [FIRST, ""];
  }

  function showLinks(current) {
    const nav = document.getElementById("views");
    const links = Object.entries(views)
      .filter(([, view]) => !view.hidden)
      .map(([name, view]) =>
        el(
          "a",
          {
            href: `#${name}`,
            "aria-current": name === (views[current].within || current) ? "page" : null,
          },
          view.title,
        ),
      );
    nav.replaceChildren(...links);
  }

  /** Draw the view that the address names; a later call replaces an earlier one. */
  async function draw() {
    const [name, argument] = address();
    const drawing = ++drawings;
    const container = el("div", { id: `view-${name}` });
    closeView?.();
    closeView = null;
    nserbench.dropCharts();
    showLinks(name);
    document.getElementById("filterbox").hidden = !views[name].filters;
    document.getElementById("main").replaceChildren(container);
    try {
      const close = await views[name].draw(container, argument);
      if (drawing !== drawings) close?.();
      else closeView = close || null;
    } catch (error) {
      container.append(
        el("p", { class: "note" }, `This view cannot be shown: ${error.message}`),
      );
      throw error;
    }
  }

  function showFrame() {
    const { rows, columns, cells, version } = nserbench.index;
    const done = cells.filter((cell) => cell.scores).length;
    const corpora = new Set(columns.map((column) => column.corpus)).size;
    document.getElementById("summary").textContent =
      `${rows.length} pairs of an upstream and a head, ${columns.length} test conditions in ${corpora} ${corpora === 1 ? "corpus" : "corpora"}, ${done} scores.`;
    document
      .getElementById("footer")
      .append(
        el(
          "p",
          {},
          `Made by nserbench ${version}. All scores are computed from predictions. The table uses Tabulator, the plots use Apache ECharts; their licences are in vendor/.`,
        ),
      );
  }

  choices.begin();
  document.getElementById("filterbox").open = innerWidth > 600;
  showFrame();
  document.addEventListener("choice", draw);
  addEventListener("hashchange", () => {
    draw();
    document.getElementById("main").focus({ preventScroll: true });
    scrollTo(0, 0);
  });
  draw();
})();
