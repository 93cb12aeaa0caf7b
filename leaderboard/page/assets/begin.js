// What the scripts share. Those in data/ set `index` and add to `cells`.
"use strict";

const nserbench = { index: null, cells: {}, views: {} };
