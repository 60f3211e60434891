// Everything that is checked without running the library: layout, lint, types, sizes, modules, registries, generated files. Runs them all,
// says how each ended, fails when one did. `npm run check -- modules types` runs only those named.
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { chdir, exit } from "node:process";
import { fileURLToPath } from "node:url";

const require = createRequire(import.meta.url);
chdir(fileURLToPath(new URL("..", import.meta.url)));
const bin = (name, path) => join(dirname(require.resolve(`${name}/package.json`)), path);

const checks = {
  format: ["scripts/format.mjs"],
  types: [bin("typescript", "bin/tsc"), "-p", "tsconfig.json"],
  page: [bin("typescript", "bin/tsc"), "-p", "lib/dashboard/client"],
  lint: [bin("eslint", "bin/eslint.js"), "."],
  sizes: ["scripts/check-sizes.mjs"],
  modules: ["scripts/check-imports.mjs"],
  registries: ["scripts/check-registries.mjs"],
  generated: ["scripts/generate.mjs", "--check"],
};

const named = process.argv.slice(2);
for (const name of named.filter((name) => !(name in checks))) {
  console.error(`check: unknown check "${name}"; known: ${Object.keys(checks).join(", ")}`);
  exit(2);
}
let failed = 0;
for (const name of named.length ? named : Object.keys(checks)) {
  const begun = Date.now();
  const { status } = spawnSync(process.execPath, checks[name], { stdio: "inherit" });
  if (status !== 0) ++failed;
  console.log(`${status === 0 ? "ok     " : "FAILED "} ${name} (${((Date.now() - begun) / 1000).toFixed(1)} s)`);
}
exit(failed ? 1 : 0);
