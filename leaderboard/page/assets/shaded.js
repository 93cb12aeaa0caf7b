// Tables whose cells are shaded by their numbers: heatmaps that stay text.
"use strict";

(() => {
  const { el } = nserbench;
  // Cividis, which colour-blind readers see as others do (Nunez et al., 2018).
  const SCALE = ["#00224e", "#35456c", "#666970", "#948e77", "#c8b866", "#fee838"];

  function shade(share) {
    const place = Math.min(Math.max(share, 0), 1) * (SCALE.length - 1);
    const below = Math.min(Math.floor(place), SCALE.length - 2);
    const parts = [1, 3, 5].map((at) => {
      const [one, other] = [SCALE[below], SCALE[below + 1]].map((text) =>
        parseInt(text.slice(at, at + 2), 16),
      );
      return Math.round(one + (place - below) * (other - one));
    });
    return { ground: `rgb(${parts})`, ink: share > 0.55 ? "#1b1d20" : "#ffffff" };
  }

  /**
   * Make a shaded table.
   *
   * `lines` has, for each name, cells of `{share, text, small}` or null where there is
   * nothing; `share` in 0 to 1 gives the colour.
   */
  nserbench.shadedTable = (corner, heads, lines) => {
    const body = lines.map(([name, ...cells]) => {
      const line = el(
        "tr",
        {},
        el("th", { scope: "row", title: name }, nserbench.cut(name, 60)),
      );
      for (const cell of cells) {
        const small = cell && cell.small ? el("small", {}, cell.small) : null;
        const box = el("td", {}, cell ? cell.text : "", small);
        if (cell) {
          const { ground, ink } = shade(cell.share);
          box.style.backgroundColor = ground;
          box.style.color = ink;
        }
        line.append(box);
      }
      return line;
    });
    const top = heads.map((head) =>
      el("th", { scope: "col" }, nserbench.cut(String(head), 24)),
    );
    return el(
      "div",
      { class: "scroll", tabindex: 0, role: "group", "aria-label": corner },
      el(
        "table",
        { class: "shaded" },
        el("thead", {}, el("tr", {}, el("th", { scope: "col" }, corner), ...top)),
        el("tbody", {}, ...body),
      ),
    );
  };

  /** Make the table of a confusion matrix, shaded by the share of each true class. */
  nserbench.confusion = (classes, matrix) => {
    const lines = matrix.map((counts, place) => {
      const whole = counts.reduce((sum, one) => sum + one, 0);
      const cells = counts.map((count) => {
        const share = whole ? count / whole : 0;
        return { share, text: (100 * share).toFixed(0), small: String(count) };
      });
      return [classes[place], ...cells];
    });
    return nserbench.shadedTable("true \\ answered, %", classes, lines);
  };
})();
