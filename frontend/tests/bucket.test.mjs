import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { bucketOf, fnv1a } from "../loader/bucket.js";

const vectors = JSON.parse(readFileSync(new URL("../loader/vectors.json", import.meta.url), "utf8"));

test("the hash is FNV-1a, as in the vectors that Python is held to", () => {
  for (const [text, hash] of vectors.fnv1a) assert.equal(fnv1a(text), hash, text);
});

test("a bucket is the one of the vectors", () => {
  for (const [id, release, bucket] of vectors.buckets) assert.equal(bucketOf(id, release), bucket, id);
});
