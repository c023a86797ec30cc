import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { release } from "../tools/release.mjs";

const TOOL = new URL("../tools/release.mjs", import.meta.url).pathname;

/** Sites of one release after the other, each built with the one before. */
const history = (t, names, options = {}) => {
  const folder = mkdtempSync(join(tmpdir(), "releases-"));
  t.after(() => rmSync(folder, { recursive: true }));
  let previous;
  for (const name of names) {
    const site = join(folder, name);
    mkdirSync(join(site, "assets/fonts"), { recursive: true });
    writeFileSync(join(site, `assets/app-${name}.js`), `export const start = () => "${name}";\n`);
    writeFileSync(join(site, `assets/fonts/text-${name}.woff2`), name);
    writeFileSync(join(site, "assets/shared-0.js"), "");
    writeFileSync(join(site, "assets/logo.svg"), name);
    release(site, { entry: `assets/app-${name}.js`, previous, ...options });
    previous = site;
  }
  return folder;
};

test("the entry leads to the build's own module", async (t) => {
  const folder = history(t, ["1", "2"]);
  writeFileSync(join(folder, "package.json"), '{"type": "module"}');
  const { start } = await import(join(folder, "2/entry.js"));
  assert.equal(start(), "2");
});

test("assets of three earlier releases stay, and no more", (t) => {
  const folder = history(t, ["1", "2", "3", "4", "5", "6"]);
  for (const [name, there] of [["6", true], ["5", true], ["4", true], ["3", true], ["2", false], ["1", false]]) {
    assert.equal(existsSync(join(folder, `6/assets/app-${name}.js`)), there, name);
    assert.equal(existsSync(join(folder, `6/assets/fonts/text-${name}.woff2`)), there, name);
  }
  assert.equal(readFileSync(join(folder, "6/assets/app-3.js"), "utf8"), 'export const start = () => "3";\n');
});

test("a file whose name has no hash stays the build's own", (t) => {
  const folder = history(t, ["1", "2"]);
  assert.equal(readFileSync(join(folder, "2/assets/logo.svg"), "utf8"), "2");
});

test("it works when it is called by another path, as a link in node_modules", (t) => {
  const folder = history(t, ["1"]);
  rmSync(join(folder, "1/entry.js"));
  symlinkSync(TOOL, join(folder, "release.mjs"));
  execFileSync("node", [join(folder, "release.mjs"), join(folder, "1"), "--entry", "assets/app-1.js"]);
  assert.equal(existsSync(join(folder, "1/entry.js")), true);
});

test("how many stay can be told", (t) => {
  const folder = history(t, ["1", "2", "3"], { keep: 1 });
  assert.equal(existsSync(join(folder, "3/assets/app-2.js")), true);
  assert.equal(existsSync(join(folder, "3/assets/app-1.js")), false);
});

test("what is wrong is one line", (t) => {
  const folder = history(t, ["1"]);
  const cases = [
    [[], /usage: release.mjs SITE/],
    [[join(folder, "1"), "--entry", "assets/app-1.js", "--keep", "all"], /usage: release.mjs SITE/],
    [[join(folder, "1"), "--entry", "assets/none.js"], /none.js is missing: --entry names the built module/],
    [[join(folder, "1"), "--entry", "assets/app-1.js", "--previous", folder], /releases.json is missing: .* is no output/],
  ];
  for (const [words, says] of cases) {
    assert.throws(
      () => execFileSync("node", [TOOL, ...words], { stdio: "pipe" }),
      ({ status, stderr }) => status === 1 && says.test(stderr) && stderr.toString().trim().split("\n").length === 1,
    );
  }
});
