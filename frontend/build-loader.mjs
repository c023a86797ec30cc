/** Bundle the loader into dist/, and fail when it has grown too big to be in every page. */
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { buildSync } from "esbuild";

const GOAL = 1500;
const LIMIT = 2000;

const here = (path) => new URL(path, import.meta.url).pathname;
const out = here("dist/loader.min.js");

mkdirSync(here("dist"), { recursive: true });
buildSync({
  entryPoints: [here("loader/main.js")],
  outfile: out,
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2020",
  legalComments: "none",
  tsconfigRaw: {}, // ours is for checking only
});
copyFileSync(here("loader/loader.d.ts"), here("dist/loader.d.ts"));

const code = readFileSync(out);
const size = gzipSync(code, { level: 9 }).length;
const integrity = `sha384-${createHash("sha384").update(code).digest("base64")}`;
console.log(`dist/loader.min.js: ${code.length} bytes, ${size} gzipped\nintegrity="${integrity}"`);
if (size > LIMIT) {
  console.error(`loader.min.js is ${size} bytes gzipped; the limit is ${LIMIT}: take something out`);
  process.exit(1);
}
if (size > GOAL) console.error(`loader.min.js is over its goal of ${GOAL} bytes gzipped`);
