// Where upstreams, heads and corpora come from, and how to cite the page.
"use strict";

(() => {
  const { el } = nserbench;
  const KINDS = {
    upstream: "Upstreams",
    enhancer: "Enhancers",
    head: "Heads",
    corpus: "Corpora",
  };

  /** Return parts of a text; those with an address are links to other sites. */
  const pieces = (parts) =>
    parts.map(([text, address]) =>
      address ? el("a", { href: address, rel: "noreferrer" }, text) : text,
    );

  const joined = (parts) => el("span", {}, ...pieces(parts));

  /** Return the cards behind a name of a result; empty if no plugin offers it. */
  function cardsOf(kind, name) {
    const { of, cards } = nserbench.index.known;
    return (of[kind][name] ?? []).map((number) => cards[number]);
  }

  /** Return the names in results behind which there is nothing but a card. */
  function namesOf(kind, card) {
    const { of, cards } = nserbench.index.known;
    const known = Object.entries(of[kind] ?? {});
    return known
      .filter(([, behind]) => behind.length === 1 && cards[behind[0]] === card)
      .map(([name]) => name);
  }

  /** Return the smallest and the largest number of parameters, of cells that say it. */
  function parameters(names, side, part) {
    const { rows, cells } = nserbench.index;
    const counts = cells
      .filter((cell) => names.includes(rows[cell.row][side]))
      .map((cell) => cell.measured.cost?.[part])
      .filter((count) => Number.isInteger(count));
    if (!counts.length) return "";
    const ends = [Math.min(...counts), Math.max(...counts)];
    const text = [...new Set(ends.map(nserbench.largeCount))].join(" to ");
    return text.replaceAll(" ", "\u00a0"); // on one line
  }

  const COUNTS = {
    upstream: (card) => parameters(namesOf("upstream", card), 0, 2),
    head: (card) => parameters(namesOf("downstream", card), 1, 1),
  };

  function table(kind) {
    const cards = nserbench.index.known.cards.filter((card) => card.kind === kind);
    if (!cards.length) return [];
    const columns = [
      ["name", (card) => card.name],
      ["source", (card) => joined(card.source)],
      ["checkpoint", (card) => joined(card.checkpoint)],
      ["licence", (card) => joined(card.licence)],
      [
        kind === "head" ? "trained parameters" : "parameters",
        COUNTS[kind] ?? (() => ""),
      ],
    ];
    const lines = cards.map((card) => columns.map(([, content]) => content(card)));
    const isEmpty = (content) => (content.textContent ?? content) === "";
    const kept = [...columns.keys()].filter(
      (number) => !lines.every((one) => isEmpty(one[number])),
    );
    return [
      el("h2", {}, KINDS[kind]),
      nserbench.plainTable(
        kept.map((number) => columns[number][0]),
        lines.map((one) => kept.map((number) => one[number])),
        { numbers: false },
      ),
    ];
  }

  function unknown() {
    const { of } = nserbench.index.known;
    const { rows, columns } = nserbench.index;
    const named = [
      ...rows.flatMap(([upstream, head]) => [
        ["upstream", upstream],
        ["downstream", head],
      ]),
      ...columns.map(({ corpus }) => ["corpus", corpus]),
    ];
    const names = named.filter(([kind, name]) => !of[kind][name]);
    const missing = [...new Set(names.map(([, name]) => nserbench.cut(name, 60)))];
    if (!missing.length) return [];
    const text = `Of plugins that are not installed where this page was made: ${missing.join(", ")}.`;
    return [el("p", { class: "soft" }, text)];
  }

  function cite() {
    const { message, bibtex } = nserbench.index.citation;
    return [
      el("h2", {}, "How to cite"),
      el("p", {}, message),
      ...nserbench.copyable(bibtex, "Copy the BibTeX"),
    ];
  }

  /** Return the source, checkpoint and licence of the names of a cell, as a table. */
  nserbench.sourcesOf = (upstream, head, corpus) => {
    const cards = [
      ...cardsOf("upstream", upstream),
      ...cardsOf("downstream", head),
      ...cardsOf("corpus", corpus),
    ];
    if (!cards.length) return [];
    const lines = cards.map((card) => [
      `${card.kind} ${card.name}`,
      joined(card.source),
      joined(card.checkpoint),
      joined(card.licence),
    ]);
    const heads = ["name", "source", "checkpoint", "licence"];
    return [
      el("h2", {}, "Sources"),
      nserbench.plainTable(heads, lines, { numbers: false }),
    ];
  };

  nserbench.views.sources = {
    title: "Sources",
    draw(main) {
      main.append(
        ...Object.keys(KINDS).flatMap(table),
        ...unknown(),
        el(
          "p",
          { class: "soft" },
          "Sections, experiments and tables are those of the study that nserbench implements; see How to cite. Parameters of a head depend on the layers and classes that it gets.",
        ),
        ...cite(),
      );
    },
  };
})();
