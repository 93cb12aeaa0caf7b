// Light or dark: the system's choice until the reader makes one.
"use strict";

(() => {
  const system = matchMedia("(prefers-color-scheme: dark)");

  function remembered() {
    try {
      return localStorage.getItem("nserbench-theme");
    } catch {
      return null; // a browser may forbid storage to pages opened from a file
    }
  }

  function remember(theme) {
    try {
      localStorage.setItem("nserbench-theme", theme);
    } catch {
      // The choice then lasts as long as the page.
    }
  }

  function apply(theme) {
    document.documentElement.dataset.theme = theme;
    document.dispatchEvent(new Event("theme"));
  }

  system.addEventListener("change", () => {
    if (!remembered()) apply(system.matches ? "dark" : "light");
  });

  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const name = () => {
      const dark = document.documentElement.dataset.theme === "dark";
      button.textContent = dark ? "Light" : "Dark";
      button.setAttribute("aria-label", `Change to ${dark ? "light" : "dark"} colours`);
    };
    document.addEventListener("theme", name);
    button.addEventListener("click", () => {
      const dark = document.documentElement.dataset.theme === "dark";
      remember(dark ? "light" : "dark");
      apply(dark ? "light" : "dark");
    });
    name();
  });

  apply(remembered() || (system.matches ? "dark" : "light"));
})();
