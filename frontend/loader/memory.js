import { VISITOR as KEY } from "./cookies.js";
import { nothing } from "./settings.js";

/** @typedef {import("./settings.js").Settings} Settings */

/** How long a number may be used after it was heard, in milliseconds: it may be too high by then. */
const LIFE = 60000;

/** @param {Settings} settings */
export const remember = (settings) => {
  try {
    localStorage.setItem(KEY, JSON.stringify([Date.now(), settings]));
  } catch {
    // Full or forbidden: there will be no last known number, which is stable.
  }
};

/** What was heard last, unless too long ago. @returns {Settings} */
export const recall = () => {
  try {
    const [heard, settings] = JSON.parse(/** @type {string} */ (localStorage.getItem(KEY)));
    // Either way: a clock that was set back must not make it younger.
    if (Math.abs(Date.now() - heard) < LIFE) return settings;
  } catch {
    // The first visit, or somebody else's.
  }
  return nothing;
};
