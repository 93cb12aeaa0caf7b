// Printing: light plots, and the leaderboard as a table that pages can divide.
"use strict";

(() => {
  const { dataset } = document.documentElement;
  let theme = null;

  function tell(isPaper) {
    document.dispatchEvent(new Event("theme"));
    document.dispatchEvent(new CustomEvent("paper", { detail: isPaper }));
  }

  function before() {
    if (theme !== null) return;
    theme = dataset.theme;
    dataset.theme = "light";
    tell(true);
  }

  function after() {
    if (theme === null) return;
    dataset.theme = theme;
    theme = null;
    tell(false);
  }

  addEventListener("beforeprint", before);
  addEventListener("afterprint", after);
  matchMedia("print").addEventListener("change", ({ matches }) =>
    matches ? before() : after(),
  );
})();
