/**
 * Options of the loader: data attributes of its own script element.
 *
 *     <script data-config="/config/canary.json" data-stable="/stable/entry.js" …>
 */
export interface LockstepOptions {
  /** `data-config`: where the configuration is. Default `/config/canary.json`. */
  config?: string;
  /** `data-stable`: the stable build's entry module. Default `/stable/entry.js`. */
  stable?: string;
  /** `data-canary`: the canary build's entry module. Default `/canary/entry.js`. */
  canary?: string;
  /** `data-report`: problems are posted to `<report>?<what>`. Default: nowhere. */
  report?: string;
}

/** Which build this page got, and why. One object a page: `window.lockstep`, and start()'s argument. */
export interface Lockstep {
  /** The build that runs. It changes once at most: to stable, before start(), when canary won't load. */
  cohort: "stable" | "canary";
  /**
   * - `share`: the bucket is below the share, or not
   * - `forced`: by `?canary=always|never` or the cookie `lockstep-force`; leave these out of analyses
   * - `broken`: this release's canary failed in this browser, now or before
   * - `bot`, `no-cookies`: always stable
   * - `error`: the loader itself failed
   */
  reason: "share" | "forced" | "broken" | "bot" | "no-cookies" | "error";
  /** The share that was decided by, 0–100. 0 where it could not be learnt. */
  share: number;
  /** `CANARY_RELEASE`, empty where there is none. */
  release: string;
  /** Where this visitor stands in this release, 0–9999: on canary while below 100 × share. */
  bucket: number;
  /** `FEATURE_FLAGS`, as they are in the configuration. `{}` where it could not be learnt. */
  flags: Record<string, unknown>;
  /** Whether the share fell to 0 since: the next page will be stable. Never where it is forced. */
  killed: boolean;
}

/** What an entry module exports. Nothing may happen before start() is called. */
export interface Application {
  /**
   * Show the application. A canary that throws or rejects here, or whose promise takes over 4 s, is
   * replaced by stable on a new page.
   */
  start(lockstep: Lockstep): void | Promise<void>;
}

/** `event.detail` of `lockstep:problem`. Visitors notice nothing of it, except where it is `stable`. */
export interface LockstepProblem {
  what: "config" | "canary" | "stable" | "loader";
  error: unknown;
}

declare global {
  interface Window {
    lockstep: Lockstep;
  }
  interface WindowEventMap {
    /** It is decided which build this page gets. */
    "lockstep:cohort": CustomEvent<Lockstep>;
    /** On a page with the canary that isn't forced: the share fell to 0, so the next page will be stable. */
    "lockstep:kill": CustomEvent<undefined>;
    "lockstep:problem": CustomEvent<LockstepProblem>;
  }
}
