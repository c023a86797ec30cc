/**
 * As much of a browser as the loader needs, so that the very bytes of dist/loader.min.js run in node.
 *
 * A browser keeps its cookies and its storage; each page that it opens is a global object of its own.
 */
import { readFileSync } from "node:fs";
import vm from "node:vm";

const LOADER = new URL("../dist/loader.min.js", import.meta.url);
const CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36";

/** A cookie jar with what the loader uses: `max-age=0` deletes, an empty one is a session's. */
class Jar {
  #kept = new Map();

  get text() {
    return [...this.#kept].map(([name, { value }]) => `${name}=${value}`).join("; ");
  }

  set text(cookie) {
    const [pair, ...attributes] = cookie.split(";");
    const [name, value] = pair.split(/=(.*)/s);
    const age = attributes.find((it) => it.startsWith("max-age="))?.slice("max-age=".length);
    if (age === "0") this.#kept.delete(name);
    else this.#kept.set(name, { value, session: age === "" });
  }

  get cookies() {
    return [...this.#kept];
  }

  set cookies(kept) {
    this.#kept = new Map(kept);
  }

  endSession() {
    for (const [name, { session }] of this.#kept) if (session) this.#kept.delete(name);
  }
}

export class Browser {
  jar = new Jar();
  storage = new Map();

  /**
   * @param {object} world
   * @param {(path: string) => Promise<Response>} world.fetch
   * @param {(path: string) => Promise<object>} world.load what `import()` resolves to
   */
  constructor({ fetch, load, userAgent = CHROME, origin = "https://shop.example", cookies = true, storage = true, beacons = true }) {
    Object.assign(this, { fetch, load, userAgent, origin, cookies, keeps: storage, beacons });
  }

  /**
   * Open a page with the loader on it: the one in dist/, if no other text of it is given.
   *
   * @param {object} [page]
   * @param {object} [page.globals] what its applications need beside what the loader does
   */
  open({ search = "", dataset = {}, loader = (this.loader ??= readFileSync(LOADER, "utf8")), globals = {} } = {}) {
    return new Page(this, { search, dataset, loader, globals });
  }
}

export class Page {
  events = [];
  beacons = [];
  reloaded = false;
  imported = [];
  timers = [];

  constructor(browser, { search, dataset, loader, globals }) {
    const target = new EventTarget();
    const page = this;
    this.target = target;
    this.document = {
      hidden: false,
      currentScript: { dataset },
      get cookie() {
        return browser.jar.text;
      },
      set cookie(value) {
        if (browser.cookies) browser.jar.text = value;
      },
    };
    const storage = {
      getItem: (key) => browser.storage.get(key) ?? null,
      setItem: (key, value) => {
        if (!browser.keeps) throw new Error("QuotaExceededError");
        browser.storage.set(key, value);
      },
    };
    this.global = vm.createContext({
      document: this.document,
      location: { search, reload: () => (page.reloaded = true) },
      origin: browser.origin,
      navigator: {
        userAgent: browser.userAgent,
        sendBeacon: browser.beacons ? (path, body) => page.beacons.push([path, body]) : undefined,
      },
      localStorage: storage,
      fetch: browser.fetch,
      // Looked up when they are called, so that a test can put its own clock in their place.
      setTimeout: (...args) => setTimeout(...args),
      setInterval: (...args) => {
        const timer = setInterval(...args);
        this.timers.push(timer.unref());
        return timer;
      },
      Date,
      CustomEvent,
      addEventListener: target.addEventListener.bind(target),
      dispatchEvent: target.dispatchEvent.bind(target),
      ...globals,
    });
    vm.runInContext("globalThis.window = globalThis", this.global);
    const before = Object.keys(this.global);
    for (const type of ["cohort", "kill", "problem"]) {
      target.addEventListener(`lockstep:${type}`, (event) => this.events.push([type, event.detail]));
    }
    new vm.Script(loader, {
      importModuleDynamically: async (specifier) => {
        this.imported.push(specifier);
        return browser.load(specifier, this.global);
      },
    }).runInContext(this.global);
    this.document.currentScript = null;
    this.leftBehind = () => Object.keys(this.global).filter((it) => !before.includes(it));
  }

  get lockstep() {
    return this.global.lockstep;
  }

  close() {
    this.timers.forEach(clearInterval);
  }

  problems() {
    return this.events.filter(([type]) => type === "problem").map(([, it]) => `${it.what}: ${it.error}`);
  }

  /** What a browser does when somebody looks at the tab again, or at another one. */
  show(visible) {
    this.document.hidden = !visible;
    this.target.dispatchEvent(new Event("visibilitychange"));
  }
}

/** A module from its text, as the browser would evaluate it. */
export const moduleOf = async (text, context) => {
  const module = new vm.SourceTextModule(text, { context });
  await module.link(() => {
    throw new Error("a test's module imports nothing");
  });
  await module.evaluate();
  return module;
};
