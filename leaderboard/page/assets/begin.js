// What all scripts share. The scripts in data/ set `index` and add to `cells`.
"use strict";

globalThis.nserbench = { index: null, cells: {}, views: {} };
