import { reports } from "./options.js";

/**
 * Let the page hear of what the loader does: an event `lockstep:<type>` on window.
 *
 * @param {string} type
 * @param {object} [detail]
 */
export const tell = (type, detail) => dispatchEvent(new CustomEvent(`lockstep:${type}`, { detail }));

/**
 * Report what went wrong: visitors don't notice, so somebody has to be told. What it was is in the
 * query, for an access log; the error is the body.
 *
 * @param {"config" | "canary" | "stable" | "loader"} what
 * @param {unknown} error
 */
export const report = (what, error) => {
  tell("problem", { what, error });
  // A browser may be set to have no beacons.
  if (reports) navigator.sendBeacon?.(`${reports}?${what}`, `${error}`);
};
