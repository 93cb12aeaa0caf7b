// Buttons that save what is shown as a file.
"use strict";

(() => {
  const { el, choices } = nserbench;

  function save(text, type, name) {
    const address = URL.createObjectURL(new Blob([text], { type }));
    const link = document.createElement("a");
    link.href = address;
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000); // the browser still reads it
  }

  const FORMS = [
    ["CSV", "csv", "text/csv", (shown) => nserbench.csv(shown)],
    ["LaTeX", "tex", "application/x-tex", (shown) => nserbench.latex(shown)],
  ];

  /** Return buttons that save the table; `shown` returns its rows and columns. */
  nserbench.downloads = (shown) => {
    const { name } = nserbench.index.metrics[choices.metric];
    const buttons = FORMS.map(([title, ending, type, write]) =>
      el(
        "button",
        {
          type: "button",
          "aria-label": `Save what is shown as ${title}`,
          on: {
            click: () => save(write(shown()), type, `leaderboard-${name}.${ending}`),
          },
        },
        title,
      ),
    );
    return el("span", { class: "downloads" }, "Save what is shown: ", ...buttons);
  };
})();
