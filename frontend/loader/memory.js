import { config } from "./options.js";
import { nothing, parse } from "./settings.js";

/** By its path, since another page of this origin may follow another number. */
const KEY = `lockstep:${config}`;

/** How long a number may be used after it was heard, in milliseconds: it may be too high by then. */
const LIFE = 60000;

/** @param {unknown} document as it was answered, whatever it is: recall() reads it as ask() does */
export const remember = (document) => {
  try {
    localStorage.setItem(KEY, JSON.stringify([Date.now(), document]));
  } catch {
    // Full or forbidden: there will be no last known number, which is stable.
  }
};

/** What was heard last, unless too long ago. @returns {import("./settings.js").Settings} */
export const recall = () => {
  try {
    const [heard, document] = JSON.parse(/** @type {string} */ (localStorage.getItem(KEY)));
    // Either way: a clock that was set back must not make it younger.
    if (Math.abs(Date.now() - heard) < LIFE) return parse(document);
  } catch {
    // The first visit, or somebody else's.
  }
  return nothing;
};
