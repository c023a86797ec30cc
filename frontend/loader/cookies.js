/** What a browser remembers across page loads, all first-party. */

/** `<id>.<bucket>`, never a verdict: the cohort is worked out anew on each page. */
export const VISITOR = "lockstep";

/** A hash of the release whose canary did not start here. */
export const BROKEN = "lockstep-broken";

/** `always` or `never`. */
export const FORCE = "lockstep-force";

export const YEAR = 31536000;
export const HOUR = 3600;

/**
 * A value in a text of cookies, or in a query.
 *
 * @param {string} name
 * @param {string} [text]
 * @returns {string | undefined}
 */
export const read = (name, text = document.cookie) =>
  text.match(`(^|[?&; ])${name}=([^&;]*)`)?.[2];

/**
 * @param {string} name
 * @param {string} value
 * @param {number | string} seconds until it is forgotten; "": when the browser is closed
 */
export const write = (name, value, seconds) => {
  const secure = origin[4] == "s" ? ";secure" : ""; // https
  document.cookie = `${name}=${value};path=/;samesite=lax;max-age=${seconds}${secure}`;
};
