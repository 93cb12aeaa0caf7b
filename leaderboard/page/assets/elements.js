// HTML elements. Text is only set as text, so that no name can become markup.
"use strict";

/** Return whether a link may lead to an address: a file of the page, http or https. */
nserbench.isSafe = (address) => {
  const base = new URL(document.baseURI);
  const to = URL.canParse(address, base) ? new URL(address, base) : null;
  return ["http:", "https:", base.protocol].includes(to?.protocol);
};

/** Return an element; strings among the children become text. */
nserbench.el = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") {
      for (const [event, listener] of Object.entries(value))
        element.addEventListener(event, listener);
    } else if (value === true) {
      element.setAttribute(name, "");
    } else if (value !== false && value !== null && value !== undefined) {
      if (name === "href" && !nserbench.isSafe(value)) continue; // no script in a link
      element.setAttribute(name, value);
    }
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
};

/** Return a table of texts and elements; the first cell of each line is its heading. */
nserbench.plainTable = (heads, lines, { caption = null, numbers = true } = {}) => {
  const { el } = nserbench;
  const cell = (tag, column, content, scope) =>
    el(tag, { scope, class: numbers && column > 0 ? "number" : null }, content);
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
        el("tr", {}, ...heads.map((head, column) => cell("th", column, head, "col"))),
      ),
      el(
        "tbody",
        {},
        ...lines.map((line) =>
          el(
            "tr",
            {},
            ...line.map((content, column) =>
              cell(column ? "td" : "th", column, content, column ? null : "row"),
            ),
          ),
        ),
      ),
    ),
  );
};

/** Return a text in fixed type, and a button that copies it. */
nserbench.copyable = (text, title) => {
  const { el } = nserbench;
  const copy = el("button", { type: "button" }, title);
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text);
    copy.textContent = "Copied";
  });
  return [
    el("pre", { class: "command", tabindex: 0 }, text),
    el("div", { class: "actions" }, navigator.clipboard ? copy : null),
  ];
};

/** Return a list of names and values; values may be any JSON. */
nserbench.facts = (content) => {
  const { el, jsonText } = nserbench;
  const list = el("dl", { class: "facts" });
  for (const [name, value] of Object.entries(content)) {
    const text = jsonText(value);
    const long = text.length > 300 ? { class: "long", tabindex: 0 } : {};
    list.append(el("dt", {}, name.replaceAll("_", " ")), el("dd", long, text));
  }
  return list;
};

/** Return any JSON as text. */
nserbench.jsonText = (value) => {
  if (value === null || value === undefined || value === "") return "none";
  if (value === true) return "yes";
  if (value === false) return "no";
  if (Array.isArray(value)) return value.map(nserbench.jsonText).join(", ") || "none";
  if (typeof value === "object") {
    const parts = Object.entries(value).map(
      ([key, part]) => `${key}: ${nserbench.jsonText(part)}`,
    );
    return parts.join("; ") || "none";
  }
  return typeof value === "number" ? nserbench.plainNumber(value) : String(value);
};

/** Return a name that may wrap after its punctuation. */
nserbench.breakable = (text) =>
  text.split(/(?<=[:=,/+])/).flatMap((part) => [part, nserbench.el("wbr")]);

/** Shorten a text that is too long for a line of a figure. */
nserbench.cut = (text, most = 44) =>
  text.length > most ? `${text.slice(0, most - 1)}\u2026` : text;
