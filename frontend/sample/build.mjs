/** Build the sample: node build.mjs --edition blue|green --out SITE [--previous SITE_BEFORE] */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { buildSync } from "esbuild";
import { release } from "../tools/release.mjs";

const here = (path) => new URL(path, import.meta.url).pathname;

const { values } = parseArgs({
  options: { edition: { type: "string" }, out: { type: "string" }, previous: { type: "string" } },
});
const { edition, out, previous } = values;

rmSync(out, { recursive: true, force: true });
const { metafile } = buildSync({
  entryPoints: { app: here("src/app.js") },
  alias: { "#edition": here(`src/editions/${edition}.js`) },
  outdir: join(out, "assets"),
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  bundle: true,
  splitting: true,
  minify: true,
  format: "esm",
  target: "es2020",
  tsconfigRaw: {},
  metafile: true,
});
const [app] = Object.entries(metafile.outputs).find(([, it]) => it.entryPoint?.endsWith("src/app.js"));
release(out, { entry: relative(out, app), previous });

const loader = readFileSync(here("../dist/loader.min.js"), "utf8");
const page = readFileSync(here("index.html"), "utf8");
writeFileSync(join(out, "index.html"), page.replace("%LOADER%", () => loader.trim()));
