// What the reader has chosen, kept in the address, so that a link shows the same.
"use strict";

(() => {
  const { el } = nserbench;
  const KEYS = [
    ...["view", "cell", "metric", "text", "upstream", "head", "corpus", "condition"],
    ...["protocol", "status", "sort", "order", "row", "of", "overlay"],
  ];
  const address = {};

  function read() {
    const known = new URLSearchParams();
    for (const [key, value] of new URLSearchParams(location.hash.slice(1)))
      if (KEYS.includes(key) && value) known.append(key, value);
    return known;
  }

  /** Return the value of a key; empty if the address has none. */
  address.get = (key) => read().get(key) ?? "";

  /** Return all values of a key. */
  address.all = (key) => read().getAll(key);

  /** Return the address with some keys changed; null or an empty list removes a key. */
  address.with = (changes) => {
    const changed = read();
    for (const [key, value] of Object.entries(changes)) {
      changed.delete(key);
      for (const one of [value].flat()) if (one) changed.append(key, one);
    }
    return `#${changed}`;
  };

  /** Return a link to the address with some keys changed, now and after later changes. */
  address.link = (changes, attributes, ...children) => {
    const data = { "data-changes": JSON.stringify(changes) };
    return el(
      "a",
      { href: address.with(changes), ...data, ...attributes },
      ...children,
    );
  };

  function updateLinks() {
    for (const link of document.querySelectorAll("a[data-changes]"))
      link.setAttribute("href", address.with(JSON.parse(link.dataset.changes)));
  }

  function write(changes, how) {
    const next = address.with(changes);
    if (next === address.with({})) return;
    history[how](null, "", next);
    updateLinks();
  }

  /** Change some keys as a step of the history, and draw the page. */
  address.go = (changes) => {
    write(changes, "pushState");
    document.dispatchEvent(new Event("address"));
  };

  /** Change some keys without a step of the history, as for each letter typed. */
  address.refine = (changes) => {
    write(changes, "replaceState");
    document.dispatchEvent(new Event("address"));
  };

  /** Note in the address, as a step of the history, what the page shows already. */
  address.note = (changes) => write(changes, "pushState");

  /** Note in the address, without a step of the history, what the page shows already. */
  address.keep = (changes) => write(changes, "replaceState");

  nserbench.address = address;
})();
