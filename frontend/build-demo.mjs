/** What `lockstep demo` shows in browsers: node build-demo.mjs FOLDER. The result is in Git. */
import { execFileSync } from "node:child_process";
import { copyFileSync, rmSync } from "node:fs";
import { join } from "node:path";

const here = (path) => new URL(path, import.meta.url).pathname;
const [folder] = process.argv.slice(2);

for (const [path, edition] of [["stable", "blue"], ["canary", "green"]]) {
  const out = join(folder, path);
  execFileSync("node", [here("sample/build.mjs"), "--edition", edition, "--out", out], { stdio: "inherit" });
  rmSync(join(out, "releases.json"));
}
copyFileSync(here("loader/bucket.js"), join(folder, "bucket.js"));
