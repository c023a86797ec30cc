import { bucketOf, fnv1a } from "./bucket.js";
import { BROKEN, FORCE, HOUR, read, VISITOR, write, YEAR } from "./cookies.js";

const BOTS = /bot|crawl|spider|slurp|lighthouse|headless/i;

/** It only has to be different: 52 random bits, as digits. */
const drawn = () => `${Math.random()}`.slice(2);

/** `?canary=always|never` holds until the browser is closed; any other value takes it back. */
const wished = () => {
  const asked = read("canary", location.search);
  if (asked) write(FORCE, asked, "");
  return read(FORCE);
};

/**
 * Where this browser belongs, and why.
 *
 * @param {import("./settings.js").Settings} settings
 * @returns {{ cohort: "canary" | "stable", reason: string, bucket: number }}
 */
export const place = ({ share, release }) => {
  const id = read(VISITOR)?.split(".")[0] || drawn();
  const bucket = bucketOf(id, release);
  const kept = `${id}.${bucket}`;
  write(VISITOR, kept, YEAR);
  const wish = wished();
  const [canary, reason] =
    BOTS.test(navigator.userAgent) ? [false, "bot"]
    // It would be drawn anew on each page, and could not be kept off a canary that fails.
    : read(VISITOR) != kept ? [false, "no-cookies"]
    : read(BROKEN) == `${fnv1a(release)}` ? [false, "broken"]
    : wish == "always" ? [true, "forced"]
    : wish == "never" ? [false, "forced"]
    : [bucket < share * 100, "share"];
  return { cohort: canary ? "canary" : "stable", reason, bucket };
};

/**
 * Keep this browser off a release whose canary did not start. A release without a name can't be
 * told from the next one, so that is for an hour.
 *
 * @param {string} release
 */
export const avoid = (release) => write(BROKEN, `${fnv1a(release)}`, release ? YEAR : HOUR);
