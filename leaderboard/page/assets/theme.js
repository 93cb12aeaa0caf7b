// Light or dark theme: the system's, until the reader chooses one.
"use strict";

(() => {
  const system = matchMedia("(prefers-color-scheme: dark)");

  function storedTheme() {
    try {
      return localStorage.getItem("nserbench-theme");
    } catch {
      return null; // some browsers forbid storage to pages opened from a file
    }
  }

  function storeTheme(theme) {
    try {
      localStorage.setItem("nserbench-theme", theme);
    } catch {
      // The theme is then kept only until the page is closed.
    }
  }

  function apply(theme) {
    document.documentElement.dataset.theme = theme;
    document.dispatchEvent(new Event("theme"));
  }

  system.addEventListener("change", () => {
    if (!storedTheme()) apply(system.matches ? "dark" : "light");
  });

  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const updateButton = () => {
      const dark = document.documentElement.dataset.theme === "dark";
      button.textContent = dark ? "Light" : "Dark";
      button.setAttribute("aria-label", `Change to ${dark ? "light" : "dark"} colours`);
    };
    document.addEventListener("theme", updateButton);
    button.addEventListener("click", () => {
      const dark = document.documentElement.dataset.theme === "dark";
      storeTheme(dark ? "light" : "dark");
      apply(dark ? "light" : "dark");
    });
    updateButton();
  });

  apply(storedTheme() || (system.matches ? "dark" : "light"));
})();
