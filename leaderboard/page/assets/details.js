// The data of a cell, loaded by a script tag when the cell is opened.
"use strict";

(() => {
  const loading = new Map();

  function load(id) {
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = `data/cells/${id}.js`;
      script.addEventListener("load", () => resolve(nserbench.cells[id]));
      script.addEventListener("error", () =>
        reject(new Error(`${script.src} is missing`)),
      );
      document.head.append(script);
    });
  }

  /** Return a promise of the data of a cell. */
  nserbench.details = (id) => {
    if (!loading.has(id)) loading.set(id, load(id));
    return loading.get(id);
  };

  /** Return bootstrap draws as fractions of 1. */
  nserbench.draws = (packed) => {
    const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
    const view = new DataView(bytes.buffer);
    const count = bytes.length / 2;
    return Float64Array.from(
      { length: count },
      (_, index) => view.getUint16(2 * index, true) / 65535,
    );
  };
})();
