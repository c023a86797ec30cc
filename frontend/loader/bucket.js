/**
 * 32-bit FNV-1a over the characters of an ASCII text.
 *
 * @param {string} text
 * @returns {number} 0 … 2³² − 1
 */
export const fnv1a = (text) => {
  let hash = 0x811c9dc5;
  for (const it of text) hash = Math.imul(hash ^ it.charCodeAt(0), 0x01000193);
  return hash >>> 0;
};

/**
 * Where a visitor stands in a release: on canary while this is below 100 × the share.
 *
 * Hashed twice: after once, who is first in one release tends to be first in the next as well.
 * webhook/cohort.py is the same function; vectors.json holds the two to each other.
 *
 * @param {string} id
 * @param {string} release the salt, so that the same visitors aren't first in every release
 * @returns {number} 0 … 9999
 */
export const bucketOf = (id, release) => fnv1a(`${fnv1a(release + id)}`) % 10000;
