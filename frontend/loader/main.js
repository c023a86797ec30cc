import { askInTime } from "./asking.js";
import { canary, stable } from "./options.js";
import { nothing } from "./settings.js";
import { report, tell } from "./telling.js";
import { avoid, place } from "./visitor.js";
import { watch } from "./watching.js";
import { within } from "./within.js";

/** How long a canary may take to load, and then to start, in milliseconds. */
const PATIENCE = 4000;

/** @type {import("./loader").Lockstep} */
const lockstep = { cohort: "stable", reason: "error", bucket: 0, killed: false, ...nothing };

/** Another address the second time, since a browser may remember that the first one failed. */
const startStable = () =>
  import(stable)
    .catch(() => import(`${stable}?again`))
    .then((application) => application.start(lockstep));

const startCanary = async () => {
  let began = false; // nothing of an application runs before its start() is called
  try {
    const application = await within(PATIENCE, import(canary));
    began = true;
    // Forced, it would be canary again: nothing to tell.
    if (lockstep.reason == "share") watch(lockstep);
    await within(PATIENCE, application.start(lockstep));
  } catch (error) {
    avoid(lockstep.release);
    report("canary", error);
    // Half of it has run: only a new page is free of it, and that one will be stable.
    if (began) return location.reload();
    // Nothing has, and what arrives later is never started.
    Object.assign(lockstep, { cohort: "stable", reason: "broken" });
    await startStable();
  }
};

askInTime()
  .then((settings) => Object.assign(lockstep, settings, place(settings)))
  .catch((error) => report("loader", error))
  .then(() => {
    window.lockstep = lockstep;
    tell("cohort", lockstep);
    return lockstep.cohort == "canary" ? startCanary() : startStable();
  })
  .catch((error) => report("stable", error));
