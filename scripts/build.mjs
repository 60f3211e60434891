// Writes dist/ from lib/: dist/cjs holds the one implementation (CommonJS, with declarations), dist/esm thin modules that
// re-export it, so that a program which mixes import and require still has one copy of every class and of the engine
// (docs/decisions/0002). Skips the work when nothing changed.
import { createHash } from "node:crypto";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { chdir, exit } from "node:process";
import { fileURLToPath } from "node:url";
import { filesBelow } from "./files-below.mjs";

const require = createRequire(import.meta.url);
chdir(fileURLToPath(new URL("..", import.meta.url)));

const sources = filesBelow("lib", (path) => path.endsWith(".ts") && !path.endsWith(".d.ts"));
const hash = createHash("sha256");
for (const path of [...sources, "package.json", "tsconfig.json", "tsconfig.build.json", "scripts/build.mjs"])
  hash.update(readFileSync(path));
const stamp = hash.digest("hex");
if (existsSync("dist/stamp") && readFileSync("dist/stamp", "utf8") === stamp) exit(0);

const begun = Date.now();
rmSync("dist", { recursive: true, force: true });
mkdirSync("dist/cjs", { recursive: true });
mkdirSync("dist/esm", { recursive: true });

// import.meta.url does not exist in CommonJS: esbuild names it, and the files that use it define it.
const { build } = await import("esbuild");
const { outputFiles } = await build({
  entryPoints: sources,
  outdir: "dist/cjs",
  outbase: "lib",
  format: "cjs",
  platform: "node",
  target: "node20",
  supported: { using: false },
  sourcemap: "linked",
  sourcesContent: true,
  define: { "import.meta.url": "athanorModuleUrl" },
  write: false,
  logLevel: "warning",
});
const moduleUrl = 'const athanorModuleUrl = require("node:url").pathToFileURL(__filename).href;';
for (const file of outputFiles) {
  mkdirSync(dirname(file.path), { recursive: true });
  // On the line of "use strict", so that line numbers of the source map stay true.
  const text =
    file.path.endsWith(".js") && file.text.includes("athanorModuleUrl")
      ? file.text.replace('"use strict";', `"use strict"; ${moduleUrl}`)
      : file.text;
  writeFileSync(file.path, text);
}

for (const [format, type] of [
  ["cjs", "commonjs"],
  ["esm", "module"],
]) {
  writeFileSync(`dist/${format}/package.json`, `${JSON.stringify({ type })}\n`);
}
const { exports } = JSON.parse(readFileSync("package.json", "utf8"));
for (const entry of Object.values(exports)) {
  if (typeof entry === "string") continue;
  const up = "../".repeat(entry.import.split("/").length - 3);
  const text = `export * from "${up}${entry.require.replace("./dist/", "")}";\n`;
  mkdirSync(dirname(entry.import), { recursive: true });
  writeFileSync(entry.import, text);
  writeFileSync(entry.import.replace(/\.js$/, ".d.ts"), text);
}
const tsc = spawnSync(process.execPath, [require.resolve("typescript/bin/tsc"), "-p", "tsconfig.build.json"], {
  stdio: "inherit",
});
if (tsc.status !== 0) exit(1);

writeFileSync("dist/stamp", stamp);
console.log(`athanor: wrote dist/ in ${((Date.now() - begun) / 1000).toFixed(1)} s`);
