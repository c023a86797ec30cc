/**
 * What a configuration says, once it is known to be one.
 *
 * @typedef {object} Settings
 * @property {number} share percentage of visitors that load canary assets, 0 … 100
 * @property {string} release empty where there is none
 * @property {Record<string, unknown>} flags
 */

/**
 * Stable, for whatever is no configuration.
 *
 * @type {Settings}
 */
export const nothing = { share: 0, release: "", flags: {} };

/**
 * Read the document that nginx answered, now or before.
 *
 * @param {any} document parsed JSON
 * @returns {Settings}
 * @throws where the number is none
 */
export const parse = (document) => {
  const { CANARY_PERCENTAGE: share, CANARY_RELEASE: release = "none", FEATURE_FLAGS: flags } = document;
  // Unsigned and of the same type: no text, no fraction, not negative, not missing.
  if (share >>> 0 !== share || share > 100) throw `share ${share}`;
  return {
    share,
    release: release == "none" ? "" : `${release}`,
    flags: { ...flags },
  };
};
