// From the address to a view. #NAME, #cell=ID and #compare=ROW,ROW name one.
"use strict";

(() => {
  const { el, views, choices } = nserbench;
  const FIRST = "table";
  let leave = null;
  let drawing = 0;

  function address() {
    const [name, argument = ""] = location.hash.slice(1).split(/=(.*)/s);
    return views[name] ? [name, argument] : [FIRST, ""];
  }

  function showNames(current) {
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

  /** Draw the view that the address names; a later call overtakes an earlier one. */
  async function draw() {
    const [name, argument] = address();
    const mine = ++drawing;
    const fresh = el("div", { id: `view-${name}` });
    leave?.();
    leave = null;
    nserbench.dropCharts();
    showNames(name);
    document.getElementById("filterbox").hidden = !views[name].filters;
    document.getElementById("main").replaceChildren(fresh);
    try {
      const done = await views[name].draw(fresh, argument);
      if (mine !== drawing) done?.();
      else leave = done || null;
    } catch (error) {
      fresh.append(
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
      `${rows.length} rows of upstream and head, ${columns.length} conditions of ${corpora} ${corpora === 1 ? "corpus" : "corpora"}, ${done} cells done.`;
    document
      .getElementById("footer")
      .append(
        el(
          "p",
          {},
          `Made by nserbench ${version} from predictions alone. The table is drawn by Tabulator, the plots by Apache ECharts; their licences lie in vendor/.`,
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
