// Writes the generated files of the repository, or with --check fails when one of them is not what its sources say.
// A generator is an object { path, render() } in scripts/generate/; it is listed here and nowhere else. render() gives the text,
// or undefined where its source is not there.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { chdir } from "node:process";
import { fileURLToPath } from "node:url";
import { formats } from "./generate/formats.mjs";
import { operationReference } from "./generate/operation-reference.mjs";
import { operations } from "./generate/operations.mjs";
import { rules } from "./generate/rules.mjs";
import { sources } from "./generate/sources.mjs";

const generators = [sources, operations, operationReference, rules, formats];

/** Returns the paths that differ from what their generator says; writes them unless `check`. `only` names one path. */
export async function generate({ check = false, only } = {}) {
  const stale = [];
  for (const { path, render } of generators) {
    if (only && path !== only) continue;
    const text = await render();
    if (text === undefined) continue;
    if (existsSync(path) && readFileSync(path, "utf8") === text) continue;
    stale.push(path);
    if (!check) writeFileSync(path, text);
  }
  return stale;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  chdir(fileURLToPath(new URL("..", import.meta.url)));
  const check = process.argv.includes("--check");
  const stale = await generate({ check });
  for (const path of stale)
    console.log(check ? `${path} is not what its sources say; run: npm run generate` : `wrote ${path}`);
  if (check && stale.length) process.exitCode = 1;
}
