import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { bucketOf } from "../loader/bucket.js";
import { Browser, moduleOf } from "./browser.mjs";

const APP = (name) => `export const start = (it) => { globalThis.started = [...(globalThis.started ?? []), "${name}"]; };`;
const RELEASE = "5d4b8c9f";

const json = (body, init) => async () =>
  new Response(JSON.stringify(body), { headers: { "Content-Type": "application/json" }, ...init });
const config = (share, rest = {}) => json({ CANARY_PERCENTAGE: share, CANARY_RELEASE: RELEASE, ...rest });
const never = () => new Promise(() => {});
const refused = async () => {
  throw new TypeError("Failed to fetch");
};

const both = async (path, context) => moduleOf(APP(path.split("/")[1]), context);
const withCanary = (text) => async (path, context) =>
  path.startsWith("/canary/") ? moduleOf(text, context) : both(path, context);

const browserOf = (fetch, rest = {}) => new Browser({ fetch, load: both, ...rest });

/** The page once an application has started or nothing will come any more. */
const settled = async (page, milliseconds = 500) => {
  const end = performance.now() + milliseconds;
  while (!page.global.started && !page.reloaded && performance.now() < end) await sleep(2);
  await sleep(2);
  return page;
};
const open = (browser, options) => settled(browser.open(options));

/** Let everything happen that waits for nothing, where a test holds the clock. */
const turns = async () => {
  for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
};

const started = (page) => [...(page.global.started ?? [])];

/** A browser whose visitor stands in this bucket of the release. */
const inBucket = (wanted, fetch, rest) => {
  const browser = browserOf(fetch, rest);
  for (let id = 0; ; id++) {
    if (wanted(bucketOf(`${id}`, RELEASE))) {
      browser.jar.text = `lockstep=${id}.0;max-age=9`;
      return browser;
    }
  }
};
const first = (fetch, rest) => inBucket((bucket) => bucket < 100, fetch, rest);
const last = (fetch, rest) => inBucket((bucket) => bucket >= 9900, fetch, rest);

test("at 0 % everybody is on stable, at 100 % on canary", async () => {
  assert.deepEqual(started(await open(browserOf(config(0)))), ["stable"]);
  assert.deepEqual(started(await open(browserOf(config(100)))), ["canary"]);
});

test("a bucket below the share is on canary, the share itself is not", async () => {
  for (const [bucket, cohort] of [[2499, "canary"], [2500, "stable"]]) {
    const page = await open(inBucket((it) => it === bucket, config(25)));
    assert.equal(page.lockstep.bucket, bucket);
    assert.deepEqual(started(page), [cohort]);
  }
});

test("the cookie keeps id and bucket, and no verdict", async () => {
  const browser = first(config(50));
  const before = browser.jar.text;
  const page = await open(browser);
  assert.match(browser.jar.text, /^lockstep=\d+\.\d+$/);
  assert.equal(browser.jar.text, before.replace(/\.0$/, `.${page.lockstep.bucket}`));
});

test("a visitor keeps its id from page to page, and is drawn anew in each release", async () => {
  const browser = browserOf(config(50));
  const { bucket } = (await open(browser)).lockstep;
  const id = /=(\d+)\./.exec(browser.jar.text)[1];
  browser.fetch = config(50, { CANARY_RELEASE: "next" });
  const next = (await open(browser)).lockstep;
  assert.equal(bucket, bucketOf(id, RELEASE));
  assert.equal(next.bucket, bucketOf(id, "next"));
});

test("without a release, or with `none`, the salt is empty", async () => {
  for (const release of [{}, { CANARY_RELEASE: "none" }]) {
    const browser = browserOf(json({ CANARY_PERCENTAGE: 50, ...release }));
    const { bucket } = (await open(browser)).lockstep;
    assert.equal(bucket, bucketOf(/=(\d+)\./.exec(browser.jar.text)[1], ""));
  }
});

test("whatever is no configuration is stable, and reported", async () => {
  const answers = {
    "HTML": async () => new Response("<!doctype html>", { headers: { "Content-Type": "application/json" } }),
    "nothing": async () => new Response(""),
    "null": json(null),
    "a list": json([]),
    "no number": json({}),
    "text": config("25"),
    "negative": config(-1),
    "too high": config(101),
    "a fraction": config(25.5),
    "missing": json({}, { status: 404 }),
    "unavailable": json({ CANARY_PERCENTAGE: 100 }, { status: 503 }),
  };
  for (const [what, fetch] of Object.entries(answers)) {
    const page = await open(browserOf(fetch));
    assert.deepEqual(started(page), ["stable"], what);
    assert.match(page.problems().join(), /^config: /, what);
  }
});

test("a stale answer counts as share 0, and its flags apply", async () => {
  const flags = { checkout: true };
  const stale = config(100, { FEATURE_FLAGS: flags });
  const page = await open(
    browserOf(async () => {
      const answer = await stale();
      answer.headers.set("Lockstep-Stale", "1");
      return answer;
    }),
  );
  assert.deepEqual(started(page), ["stable"]);
  assert.deepEqual({ ...page.lockstep.flags }, flags);
  assert.deepEqual(page.problems(), []);
});

test("flags reach the application, whatever shape they have", async () => {
  const load = withCanary("export const start = (it) => { globalThis.started = [it.flags.checkout]; };");
  const page = await open(browserOf(config(100, { FEATURE_FLAGS: { checkout: "new" } }), { load }));
  assert.deepEqual(started(page), ["new"]);
  for (const odd of [null, 7, undefined]) {
    const { flags } = (await open(browserOf(config(100, { FEATURE_FLAGS: odd })))).lockstep;
    assert.deepEqual({ ...flags }, {});
  }
});

test("a page waits 300 ms for its configuration and no longer", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const page = browserOf(never).open();
  t.mock.timers.tick(299);
  await turns();
  assert.deepEqual(started(page), []);
  t.mock.timers.tick(1);
  await turns();
  assert.deepEqual(started(page), ["stable"]);
  assert.deepEqual(page.problems(), ["config: over 300 ms"]);
});

test("without an answer the last known number counts for a minute", async (t) => {
  for (const [age, cohort] of [[59_000, "canary"], [60_001, "stable"], [-61_000, "stable"]]) {
    const browser = first(config(50));
    await open(browser);
    browser.fetch = refused;
    const later = Date.now() + age;
    t.mock.method(Date, "now", () => later);
    const page = await open(browser);
    t.mock.restoreAll();
    assert.deepEqual(started(page), [cohort], `${age} ms`);
  }
});

test("an answer that comes too late is for the next page", async () => {
  const browser = first(async () => {
    await sleep(400);
    return config(50)();
  });
  assert.deepEqual(started(await open(browser)), ["stable"]);
  await sleep(200);
  browser.fetch = refused;
  assert.deepEqual(started(await open(browser)), ["canary"]);
});

test("what is remembered is read like an answer, whoever wrote it", async () => {
  const browser = last(config(50));
  await open(browser);
  const [key] = browser.storage.keys();
  browser.fetch = refused;
  const now = Date.now();
  const poisons = [
    "7", "null", "{}", "[]", "<!doctype html>", `["${now}x",{"CANARY_PERCENTAGE":100}]`, `[${now},null]`, `[${now}]`,
    `[${now},{"CANARY_PERCENTAGE":"100"}]`, `[${now},{"CANARY_PERCENTAGE":[100]}]`, `[${now},{"CANARY_PERCENTAGE":1000}]`,
    `[${now},{"share":"100","release":"${RELEASE}","flags":null}]`,
  ];
  for (const poison of poisons) {
    browser.storage.set(key, poison);
    const page = await open(browser);
    assert.deepEqual([started(page), page.lockstep.reason], [["stable"], "share"], poison);
    assert.deepEqual({ ...page.lockstep.flags }, {}, poison);
  }
});

test("another configuration's number is not remembered as this one's", async () => {
  const browser = first(config(50));
  await open(browser, { dataset: { config: "/config/admin.json" } });
  browser.fetch = refused;
  assert.deepEqual(started(await open(browser)), ["stable"]);
  assert.deepEqual(started(await open(browser, { dataset: { config: "/config/admin.json" } })), ["canary"]);
});

test("after an answer that was none, an older number doesn't count any more", async () => {
  const browser = first(config(50));
  await open(browser);
  for (const fetch of [config(150), refused]) {
    browser.fetch = fetch;
    assert.deepEqual(started(await open(browser)), ["stable"]);
  }
});

test("a canary that won't load is replaced by stable, once, and avoided in that release", async () => {
  const failures = {
    "network or 404": async () => { throw new TypeError("Failed to fetch dynamically imported module"); },
    "HTML for JavaScript": (_, context) => moduleOf("<!doctype html>", context),
    "broken at its top": (_, context) => moduleOf("throw new Error('no'); export const start = 0", context),
  };
  for (const [what, fails] of Object.entries(failures)) {
    const load = (path, context) => (path.startsWith("/canary/") ? fails(path, context) : both(path, context));
    const browser = browserOf(config(100), { load });
    const page = await open(browser);
    assert.deepEqual(started(page), ["stable"], what);
    assert.deepEqual([page.lockstep.cohort, page.lockstep.reason], ["stable", "broken"], what);
    assert.match(page.problems().join(), /^canary: /, what);
    assert.equal(page.reloaded, false);

    browser.load = both;
    assert.deepEqual(started(await open(browser)), ["stable"], what);
    browser.fetch = config(100, { CANARY_RELEASE: "next" });
    assert.deepEqual(started(await open(browser)), ["canary"], what);
  }
});

test("a canary that takes 4 s is never started, even when it arrives", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let arrive;
  const arrived = new Promise((resolve) => (arrive = resolve));
  const load = async (path, context) => {
    if (path.startsWith("/canary/")) await arrived;
    return both(path, context);
  };
  const page = browserOf(config(100), { load }).open();
  await turns();
  t.mock.timers.tick(3999);
  await turns();
  assert.deepEqual(started(page), []);
  t.mock.timers.tick(1);
  await turns();
  assert.deepEqual(started(page), ["stable"]);
  arrive();
  await turns();
  assert.deepEqual(started(page), ["stable"]);
});

test("a canary that fails in start() is left by a reload, and the new page is stable", async () => {
  const failures = [
    "export const start = () => { throw new Error('no') }",
    "export const start = async () => { throw new Error('no') }",
    "export const begin = () => {}",
  ];
  for (const text of failures) {
    const browser = browserOf(config(100), { load: withCanary(text) });
    const page = await open(browser);
    assert.equal(page.reloaded, true, text);
    assert.deepEqual(started(page), [], text);
    const next = await open(browser);
    assert.deepEqual(started(next), ["stable"], text);
    assert.equal(next.reloaded, false);
  }
});

test("a canary whose start() takes 4 s is left by a reload as well", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const text = "export const start = () => new Promise(() => {})";
  const page = browserOf(config(100), { load: withCanary(text) }).open();
  await turns();
  t.mock.timers.tick(3999);
  await turns();
  assert.equal(page.reloaded, false);
  t.mock.timers.tick(1);
  await turns();
  assert.equal(page.reloaded, true);
  assert.deepEqual(page.problems(), ["canary: over 4000 ms"]);
});

test("a forced canary that fails doesn't reload for ever", async () => {
  const browser = browserOf(config(0), { load: withCanary("export const start = () => { throw 1 }") });
  assert.equal((await open(browser, { search: "?canary=always" })).reloaded, true);
  const next = await open(browser, { search: "?canary=always" });
  assert.deepEqual([started(next), next.reloaded], [["stable"], false]);
});

test("a release that is a number is told from the next one", async () => {
  const load = withCanary("throw new Error('no')");
  const browser = browserOf(config(100, { CANARY_RELEASE: 1 }), { load });
  await open(browser);
  browser.load = both;
  assert.deepEqual(started(await open(browser)), ["stable"]);
  browser.fetch = config(100, { CANARY_RELEASE: 2 });
  assert.deepEqual(started(await open(browser)), ["canary"]);
});

test("stable is asked for twice before it is given up, and that is reported", async () => {
  const load = async () => { throw new TypeError("Failed to fetch"); };
  const page = await open(browserOf(config(0), { load }), {});
  assert.deepEqual(page.imported, ["/stable/entry.js", "/stable/entry.js?again"]);
  assert.deepEqual(page.problems(), ["stable: TypeError: Failed to fetch"]);
});

test("?canary=always and never hold until the browser is closed, and are told apart", async () => {
  for (const [wish, share, cohort] of [["always", 0, "canary"], ["never", 100, "stable"]]) {
    const browser = browserOf(config(share));
    await open(browser, { search: `?page=2&canary=${wish}` });
    const page = await open(browser);
    assert.deepEqual([started(page), page.lockstep.reason], [[cohort], "forced"]);
    browser.jar.endSession();
    const later = await open(browser);
    assert.equal(later.lockstep.reason, "share");
  }
});

test("any other ?canary= takes the wish back", async () => {
  const browser = browserOf(config(0));
  await open(browser, { search: "?canary=always" });
  const page = await open(browser, { search: "?canary=auto" });
  assert.deepEqual([started(page), page.lockstep.reason], [["stable"], "share"]);
});

test("a holdout's cookie keeps it on stable", async () => {
  const browser = browserOf(config(100));
  browser.jar.text = "lockstep-force=never;max-age=31536000";
  assert.deepEqual(started(await open(browser)), ["stable"]);
});

test("bots get stable", async () => {
  const bots = [
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 (compatible; Yahoo! Slurp; http://help.yahoo.com/help/us/ysearch/slurp)",
    "Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/140.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Linux; Android 11) AppleWebKit/537.36 Chrome/140.0.0.0 Chrome-Lighthouse",
  ];
  for (const userAgent of bots) {
    const page = await open(browserOf(config(100), { userAgent }));
    assert.deepEqual([started(page), page.lockstep.reason], [["stable"], "bot"], userAgent);
  }
});

test("without cookies it is stable, since a broken canary could not be avoided", async () => {
  const page = await open(browserOf(config(100), { cookies: false }));
  assert.deepEqual([started(page), page.lockstep.reason], [["stable"], "no-cookies"]);
});

test("a storage that is full or forbidden does no harm", async () => {
  assert.deepEqual(started(await open(browserOf(config(100), { storage: false }))), ["canary"]);
});

test("a loader that fails itself starts stable", async () => {
  const browser = browserOf(config(100));
  Object.defineProperty(browser, "jar", { get() { throw new Error("SecurityError"); } });
  const page = await open(browser);
  assert.deepEqual([started(page), page.lockstep.reason], [["stable"], "error"]);
  assert.deepEqual(page.problems(), ["loader: Error: SecurityError"]);
});

test("cookies are Secure where the page is", async () => {
  for (const [origin, secure] of [["https://shop.example", true], ["http://shop.example", false]]) {
    const browser = browserOf(config(0), { origin });
    const written = [];
    browser.jar = { get text() { return ""; }, set text(cookie) { written.push(cookie); } };
    await open(browser);
    assert.ok(written.length > 0);
    for (const cookie of written) assert.equal(/;secure$/.test(cookie), secure, cookie);
  }
});

test("problems are posted where the page says", async () => {
  const page = await open(browserOf(config(101)), { dataset: { report: "/lockstep/report" } });
  assert.deepEqual(page.beacons, [["/lockstep/report?config", "share 101"]]);
});

test("a browser without beacons gets its application all the same", async () => {
  const load = withCanary("throw new Error('no')");
  for (const share of [101, 100]) {
    const browser = browserOf(config(share), { load, beacons: false });
    const page = await open(browser, { dataset: { report: "/lockstep/report" } });
    assert.deepEqual(started(page), ["stable"], share);
  }
});

test("paths are those of the script element", async () => {
  const asked = [];
  const fetch = (path) => (asked.push(path), config(0)());
  const dataset = { config: "/c.json", stable: "/s/main.js", canary: "/k/main.js" };
  const page = await open(browserOf(fetch, { load: (path, context) => moduleOf(APP(path), context) }), { dataset });
  assert.deepEqual([asked, started(page)], [["/c.json"], ["/s/main.js"]]);
});

test("one object is left behind, the one that start() is given", async () => {
  const load = withCanary("export const start = (it) => { globalThis.started = [it === globalThis.lockstep]; };");
  const page = await open(browserOf(config(100), { load }));
  assert.deepEqual(started(page), [true]);
  assert.deepEqual(page.leftBehind(), ["lockstep", "started"]);
  assert.equal(page.events[0][0], "cohort");
  assert.equal(page.events[0][1], page.lockstep);
});

/** A page on canary whose clock only moves when it is told to; it counts what it asks for. */
const watching = async (t) => {
  const world = { share: 50, asked: 0 };
  const browser = first(() => {
    world.asked += 1;
    return world.share === null ? refused() : config(world.share)();
  });
  t.mock.timers.enable({ apis: ["setInterval"] });
  const page = await open(browser);
  assert.deepEqual(started(page), ["canary"]);
  world.asked = 0;
  const pass = async (seconds) => {
    for (let second = 0; second < seconds; second++) t.mock.timers.tick(1000);
    await sleep(5);
  };
  const kills = () => page.events.filter(([type]) => type === "kill").length;
  return { world, page, pass, kills };
};

test("an open tab learns of a kill switch within a minute, once, and keeps its cohort", async (t) => {
  const { world, page, pass, kills } = await watching(t);
  await pass(59);
  assert.equal(kills(), 0);
  world.share = 0;
  await pass(58);
  assert.equal(kills(), 1);
  assert.deepEqual([page.lockstep.killed, page.lockstep.cohort], [true, "canary"]);
  const asked = world.asked;
  await pass(600);
  assert.deepEqual([kills(), world.asked], [1, asked]);
});

test("a lower share that isn't 0 is no kill switch", async (t) => {
  const { world, pass, kills } = await watching(t);
  world.share = 1;
  await pass(120);
  assert.equal(kills(), 0);
});

test("a hidden tab asks nothing, and asks at once when it is looked at", async (t) => {
  const { world, page, pass, kills } = await watching(t);
  page.show(false);
  world.share = 0;
  await pass(600);
  assert.equal(world.asked, 0);
  page.show(true);
  await sleep(5);
  assert.deepEqual([world.asked, kills()], [1, 1]);
});

test("a forced canary is told of no kill switch, since its next page is canary too", async (t) => {
  let asked = 0;
  t.mock.timers.enable({ apis: ["setInterval"] });
  const page = await open(browserOf(() => (asked++, config(0)())), { search: "?canary=always" });
  assert.deepEqual(started(page), ["canary"]);
  t.mock.timers.tick(600_000);
  page.show(true);
  await sleep(5);
  assert.deepEqual([asked, page.lockstep.killed], [1, false]);
});

test("an open tab that gets no answer stays as it is and goes on asking", async (t) => {
  const { world, pass, kills } = await watching(t);
  world.share = null;
  await pass(100);
  assert.equal(kills(), 0);
  world.share = 0;
  await pass(58);
  assert.equal(kills(), 1);
});

test("a tab on stable asks nothing more", async (t) => {
  let asked = 0;
  t.mock.timers.enable({ apis: ["setInterval"] });
  const page = await open(last(() => (asked++, config(50)())));
  t.mock.timers.tick(600_000);
  page.show(true);
  assert.equal(asked, 1);
});
