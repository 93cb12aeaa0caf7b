// Elements. Text is only ever set as text, so that no name can become markup.
"use strict";

/** Make an element; strings among the children become text. */
nserbench.el = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") {
      for (const [event, act] of Object.entries(value))
        element.addEventListener(event, act);
    } else if (value === true) {
      element.setAttribute(name, "");
    } else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(name, value);
    }
  }
  element.append(...children.filter((one) => one !== null && one !== undefined));
  return element;
};

/** Make a table of texts and elements; the first cell of each line is its head. */
nserbench.plainTable = (heads, lines, { caption = null, numbers = true } = {}) => {
  const { el } = nserbench;
  const cell = (tag, place, content, scope) =>
    el(tag, { scope, class: numbers && place > 0 ? "number" : null }, content);
  return el(
    "div",
    { class: "scroll", tabindex: 0, role: "group", "aria-label": caption || "table" },
    el(
      "table",
      {},
      caption && el("caption", { class: "soft" }, caption),
      el(
        "thead",
        {},
        el("tr", {}, ...heads.map((head, at) => cell("th", at, head, "col"))),
      ),
      el(
        "tbody",
        {},
        ...lines.map((line) =>
          el(
            "tr",
            {},
            ...line.map((one, at) =>
              cell(at ? "td" : "th", at, one, at ? null : "row"),
            ),
          ),
        ),
      ),
    ),
  );
};

/** Make a list of facts; values may be nested as JSON allows. */
nserbench.facts = (content) => {
  const { el, said } = nserbench;
  const list = el("dl", { class: "facts" });
  for (const [name, value] of Object.entries(content)) {
    const text = said(value);
    const long = text.length > 300 ? { class: "long", tabindex: 0 } : {};
    list.append(el("dt", {}, name.replaceAll("_", " ")), el("dd", long, text));
  }
  return list;
};

/** Put any JSON into words. */
nserbench.said = (value) => {
  if (value === null || value === undefined || value === "") return "none";
  if (value === true) return "yes";
  if (value === false) return "no";
  if (Array.isArray(value)) return value.map(nserbench.said).join(", ") || "none";
  if (typeof value === "object") {
    const parts = Object.entries(value).map(
      ([key, one]) => `${key}: ${nserbench.said(one)}`,
    );
    return parts.join("; ") || "none";
  }
  return typeof value === "number" ? nserbench.plainNumber(value) : String(value);
};

/** Let a name break where its parts meet. */
nserbench.breakable = (text) =>
  text.split(/(?<=[:=,/+])/).flatMap((part) => [part, nserbench.el("wbr")]);

/** Cut a text that is too long for a line of a figure. */
nserbench.cut = (text, most = 44) =>
  text.length > most ? `${text.slice(0, most - 1)}\u2026` : text;
