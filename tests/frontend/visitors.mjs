/**
 * Many visitors of one site over real HTTP: each runs the loader that the page carries, and the
 * application that it chooses. Commands are lines of JSON on stdin, answers are lines on stdout.
 *
 *     {"url": …, "returning": 2000, "fresh": 500}    one visit each; the returning keep their cookies
 *     {"url": …, "seconds": 5}                       fresh visitors, as many as there can be
 */
import { once } from "node:events";
import { createInterface } from "node:readline";
import vm from "node:vm";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { Browser } from "../../frontend/tests/browser.mjs";

const AT_ONCE = 6; // they share one thread, and a page waits 300 ms only
const KEPT = 20; // connections, at most: an application's modules are asked for at once
const BATCH = 400; // a thread's; node gives the memory of pages back only with their thread

/** The element that an application gets: it takes everything, and its texts can be read. */
class Element {
  children = [];
  textContent = "";
  append(...children) {
    this.children.push(...children);
  }
  prepend(...children) {
    this.children.unshift(...children);
  }
  replaceChildren(...children) {
    this.children = children;
  }
  get text() {
    return this.textContent + this.children.map((it) => it.text ?? it).join("");
  }
  find(id) {
    if (this.id === id) return this;
    for (const child of this.children) {
      const found = child.find?.(id);
      if (found) return found;
    }
    return undefined;
  }
}

/**
 * As browsers do: a kept connection that the server has closed meanwhile is no failure. All that are
 * kept may be, so the next one is tried till it has to be a new one.
 */
const get = async (url, options, kept = KEPT) => {
  try {
    return await fetch(url, options);
  } catch (error) {
    const closed = ["ECONNRESET", "EPIPE", "UND_ERR_SOCKET"].includes(error.cause?.code);
    if (closed && kept > 0) return get(url, options, kept - 1);
    throw Error(`${url}: ${error.cause ?? error}`);
  }
};

const ask = async (url) => {
  const answer = await get(url);
  return { answer, text: await answer.text() };
};

/** A module and all that it imports, as a browser loads them: JavaScript with status 200, or nothing. */
const moduleAt = async (url, context, known) => {
  if (!known.has(url)) known.set(url, loaded(url, context));
  return known.get(url);
};

const loaded = async (url, context) => {
  const { answer, text } = await ask(url);
  const type = answer.headers.get("content-type") ?? "";
  if (!answer.ok || !type.includes("javascript")) throw new TypeError(`${url}: ${answer.status} ${type}`);
  return new vm.SourceTextModule(text, { context, identifier: url });
};

const imported = async (url, context) => {
  const known = new Map();
  const module = await moduleAt(url, context, known);
  await module.link((specifier, from) => moduleAt(new URL(specifier, from.identifier).href, context, known));
  await module.evaluate();
  return module;
};

const visitor = (url, cookies) => {
  const browser = new Browser({
    origin: url,
    fetch: (path, options) => get(url + path, options),
    load: (path, context) => imported(url + path, context),
  });
  browser.jar.cookies = cookies;
  return browser;
};

/** The loader and its attributes, out of the page. */
const loaderOf = (page) => {
  const found = /<script nonce="\w+" data-report="([^"]*)">(.*?)<\/script>/s.exec(page);
  if (!found) throw Error(`no loader in the page: ${page.slice(0, 80)}`);
  return { dataset: { report: found[1] }, loader: found[2] };
};

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** One page load up to what it shows; a reload is a part of it, as it is for who waits. */
const visit = async (browser, url, reloads = 0) => {
  const at = Date.now();
  const { answer, text } = await ask(`${url}/`);
  if (!answer.ok) throw Error(`the page: ${answer.status}`);
  const app = new Element();
  const page = browser.open({
    ...loaderOf(text),
    globals: {
      Element,
      CSSStyleSheet: class { replaceSync() {} },
    },
  });
  Object.assign(page.document, { getElementById: () => app, createElement: () => new Element() });
  page.global.location.href = url;
  const end = Date.now() + 10_000;
  while (!app.children.length && !page.reloaded && Date.now() < end) await sleep(2);
  page.close();
  if (page.reloaded) return reloads ? { at, broken: "it reloads again and again" } : visit(browser, url, 1);
  const edition = app.find("edition")?.text;
  const { cohort, reason, share, bucket } = page.lockstep;
  const broken = edition ? undefined : `nothing is shown: ${page.problems()}`;
  return { at, cohort, reason, share, bucket, edition, reloads, broken, problems: page.problems() };
};

const safely = (browser, url) =>
  visit(browser, url).catch((error) => ({ at: Date.now(), broken: `${error}` }));

/** Several at once, until `next` has no more. */
const visits = async (url, next) => {
  const seen = [];
  const work = async () => {
    for (let cookies; (cookies = next()); ) {
      const browser = visitor(url, cookies);
      seen.push({ ...(await safely(browser, url)), cookies: browser.jar.cookies });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return seen;
};

const inThread = async (data) => {
  const worker = new Worker(new URL(import.meta.url), { workerData: data });
  const [seen] = await once(worker, "message");
  await worker.terminate();
  return seen;
};

/** One visit by each, given the cookies they have. */
const each = async (url, jars) => {
  const seen = [];
  for (let at = 0; at < jars.length; at += BATCH) {
    seen.push(...(await inThread({ url, jars: jars.slice(at, at + BATCH) })));
  }
  return seen;
};

const forSeconds = async (url, seconds) => {
  const seen = [];
  const end = Date.now() + seconds * 1000;
  while (Date.now() < end) seen.push(...(await inThread({ url, jars: Array(BATCH).fill([]), end })));
  return seen;
};

if (!isMainThread) {
  const { url, jars, end = Infinity } = workerData;
  parentPort.postMessage(await visits(url, () => (Date.now() < end ? jars.pop() : undefined)));
}

let known = [];
for await (const line of isMainThread ? createInterface({ input: process.stdin }) : []) {
  const { url, returning = 0, fresh = 0, seconds = 0 } = JSON.parse(line);
  const jars = Array.from({ length: returning }, (_, index) => known[index] ?? []);
  const seen = await each(url, jars);
  known = seen.map((it) => it.cookies);
  const answer = {
    returning: seen,
    fresh: await each(url, Array(fresh).fill([])),
    during: seconds ? await forSeconds(url, seconds) : [],
  };
  console.log(JSON.stringify(answer));
}
