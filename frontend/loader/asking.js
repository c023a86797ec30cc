import { recall, remember } from "./memory.js";
import { config } from "./options.js";
import { nothing, parse } from "./settings.js";
import { report } from "./telling.js";
import { within } from "./within.js";

/** @typedef {import("./settings.js").Settings} Settings */

/** How long a page waits for its configuration, in milliseconds. */
const PATIENCE = 300;

/**
 * Ask once. An answer that is no configuration counts as share 0.
 *
 * @returns {Promise<Settings>}
 * @throws where there was no answer at all
 */
export const ask = async () => {
  const response = await fetch(config, { cache: "no-store" });
  let document;
  try {
    if (!response.ok) throw response.status;
    document = await response.json();
    // The mounted file, whose number may be too high by now.
    if (response.headers.has("Lockstep-Stale")) document.CANARY_PERCENTAGE = 0;
    return parse(document);
  } catch (error) {
    report("config", error);
    return nothing;
  } finally {
    remember(document);
  }
};

/**
 * The configuration, or the last one where no answer comes in time; an answer that comes later
 * is for the next page.
 *
 * @returns {Promise<Settings>}
 */
export const askInTime = () =>
  within(PATIENCE, ask()).catch((error) => {
    report("config", error);
    return recall();
  });
