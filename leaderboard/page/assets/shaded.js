// Heatmaps as tables: cells have the colour of their number, and stay text.
"use strict";

(() => {
  const { el } = nserbench;
  // Cividis, which looks much the same to colour-blind readers (Nunez et al., 2018).
  const SCALE = ["#00224e", "#35456c", "#666970", "#948e77", "#c8b866", "#fee838"];

  /** Return the luminance of a colour, from 0 to 1; see WCAG 2.2, relative luminance. */
  function luminance(colour) {
    const linear = colour.map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  }

  /** Return black or white, whichever has more contrast; it is at least 4.5 to 1. */
  const inkOn = (colour) =>
    (luminance(colour) + 0.05) ** 2 > 0.05 * 1.05 ? "#000000" : "#ffffff";

  function shade(share) {
    const position = Math.min(Math.max(share, 0), 1) * (SCALE.length - 1);
    const below = Math.min(Math.floor(position), SCALE.length - 2);
    const parts = [1, 3, 5].map((start) => {
      const [lower, upper] = [SCALE[below], SCALE[below + 1]].map((text) =>
        parseInt(text.slice(start, start + 2), 16),
      );
      return Math.round(lower + (position - below) * (upper - lower));
    });
    return { ground: `rgb(${parts})`, ink: inkOn(parts) };
  }

  /**
   * Return a heatmap.
   *
   * Each of `lines` has a name and cells, `{share, text, small}` or null for an empty
   * one. `share`, from 0 to 1, sets the colour.
   */
  nserbench.heatmap = (corner, heads, lines) => {
    const body = lines.map(([name, ...cells]) => {
      const line = el(
        "tr",
        {},
        el(
          "th",
          { scope: "row", title: name },
          ...nserbench.breakable(nserbench.cut(name, 60)),
        ),
      );
      for (const cell of cells) {
        const small = cell?.small ? el("small", {}, cell.small) : null;
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

  /** Return the scale of a heatmap, with the numbers of its darkest and lightest colour. */
  nserbench.heatScale = (lowest, highest) => {
    const bar = el("span", { class: "gradient", "aria-hidden": "true" });
    bar.style.backgroundImage = `linear-gradient(to right, ${SCALE})`;
    return el("p", { class: "soft scale" }, `Colours: ${lowest}`, bar, highest);
  };

  /** Return a confusion matrix, coloured by the share of each true class. */
  nserbench.confusion = (classes, matrix) => {
    const lines = matrix.map((counts, number) => {
      const total = counts.reduce((sum, count) => sum + count, 0);
      const cells = counts.map((count) => {
        const share = total ? count / total : 0;
        return { share, text: (100 * share).toFixed(0), small: String(count) };
      });
      return [classes[number], ...cells];
    });
    return nserbench.heatmap("true \\ predicted, %", classes, lines);
  };
})();
