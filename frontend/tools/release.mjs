/**
 * The last step of a frontend's build: make its output one that a loader and nginx can serve.
 *
 *     node release.mjs SITE --entry assets/app-4F3A.js [--previous SITE_BEFORE] [--keep 3]
 *
 * SITE is a build's output: index.html, and assets/ with names that contain a hash of their content.
 * This adds entry.js, the module that the loader imports, and the assets of earlier releases: a tab
 * that was opened before a promotion still loads its lazy chunks after it.
 */
import {
  copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";

const RELEASES = "releases.json";

/** The files below a folder, relative to it. */
const filesIn = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((it) => it.isFile())
    .map((it) => join(it.parentPath, it.name).slice(folder.length + 1))
    .sort();

/** What the build itself has made stays, also where a name has no hash after all. */
const copy = (from, to) => {
  if (existsSync(to)) return;
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
};

/** The files of earlier releases, the newest first: what the release before says of itself. */
const earlier = (previous, keep) => {
  const list = join(previous, RELEASES);
  if (!existsSync(list)) throw Error(`${list} is missing: ${previous} is no output of release.mjs`);
  return JSON.parse(readFileSync(list, "utf8")).slice(0, keep);
};

/**
 * @param {string} site
 * @param {{ entry: string, previous?: string, keep?: number }} options
 */
export const release = (site, { entry, previous, keep = 3 }) => {
  if (!existsSync(join(site, entry))) throw Error(`${join(site, entry)} is missing: --entry names the built module`);
  writeFileSync(join(site, "entry.js"), `export { start } from "./${entry}";\n`);
  const own = filesIn(join(site, "assets"));
  const releases = previous ? earlier(previous, keep) : [];
  for (const file of releases.flat()) copy(join(previous, "assets", file), join(site, "assets", file));
  writeFileSync(join(site, RELEASES), `${JSON.stringify([own, ...releases])}\n`);
};

if (import.meta.filename === realpathSync(process.argv[1])) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { entry: { type: "string" }, previous: { type: "string" }, keep: { type: "string", default: "3" } },
  });
  try {
    if (positionals.length != 1 || !values.entry || !/^\d+$/.test(values.keep)) {
      throw Error("usage: release.mjs SITE --entry FILE [--previous SITE] [--keep 3]");
    }
    release(positionals[0], { ...values, keep: Number(values.keep) });
  } catch (error) {
    console.error(`release.mjs: ${error.message}`);
    process.exit(1);
  }
}
