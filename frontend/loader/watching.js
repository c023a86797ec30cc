import { ask } from "./asking.js";
import { tell } from "./telling.js";

/** How often a visible tab asks, in milliseconds: it must know within a minute. */
const EVERY = 45000;

/**
 * Say so, once, when the share has fallen to 0. A hidden tab asks nothing till it is looked at.
 *
 * @param {import("./loader").Lockstep} lockstep
 */
export const watch = (lockstep) => {
  const look = () => {
    if (lockstep.killed || document.hidden) return;
    ask().then(
      ({ share }) => {
        if (share || lockstep.killed) return;
        lockstep.killed = true;
        tell("kill");
      },
      () => {}, // without an answer the tab stays as it is: it is offline, or the next try will tell
    );
  };
  setInterval(look, EVERY);
  addEventListener("visibilitychange", look);
};
