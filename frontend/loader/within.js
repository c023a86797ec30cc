/**
 * The promise, unless it takes too long; it goes on then, but nobody waits for it.
 *
 * @template T
 * @param {number} milliseconds
 * @param {T | Promise<T>} promise
 * @returns {Promise<T>}
 */
export const within = (milliseconds, promise) =>
  Promise.race([
    promise,
    new Promise((_, fail) => setTimeout(fail, milliseconds, `over ${milliseconds} ms`)),
  ]);
