/** The data attributes of the loader's own script element; loader.d.ts describes them. */

// When it is read matters: after the first `await` there is no current script any more.
export const {
  config = "/config/canary.json",
  stable = "/stable/entry.js",
  canary = "/canary/entry.js",
  report: reports,
} = /** @type {HTMLScriptElement} */ (document.currentScript).dataset;
