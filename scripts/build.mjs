// Writes dist/ from lib/: dist/cjs/index.js holds the one implementation, a single file of CommonJS beside the declarations;
// dist/cjs/report and the modules in dist/esm re-export it, so that a program which mixes import, require and the doors of the
// package still has one copy of every class and of the engine (docs/decisions/0002). The command line is a bundle of its own, with
// the parser of its options inside. Skips the work when nothing changed. --without-types leaves the declarations as they are, which
// takes a second instead of half a minute: what tests run is built so.
import { createHash } from "node:crypto";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { argv, chdir, exit } from "node:process";
import { fileURLToPath } from "node:url";
import { filesBelow } from "./files-below.mjs";

const require = createRequire(import.meta.url);
chdir(fileURLToPath(new URL("..", import.meta.url)));

const sources = filesBelow("lib", (path) => /\.(ts|css)$/.test(path) && !path.endsWith(".d.ts"));
const hash = createHash("sha256");
for (const path of [
  ...sources,
  "package.json",
  "tsconfig.json",
  "tsconfig.build.json",
  "scripts/build.mjs",
  "scripts/globals.d.ts",
])
  hash.update(readFileSync(path));
const stamp = hash.digest("hex");
const withTypes = !argv.includes("--without-types");
const isFresh = (path) => existsSync(path) && readFileSync(path, "utf8") === stamp;
if (isFresh("dist/stamp") || (!withTypes && isFresh("dist/stamp-without-types"))) exit(0);

const begun = Date.now();
const { dependencies, peerDependencies, exports: doors } = JSON.parse(readFileSync("package.json", "utf8"));
if (withTypes) rmSync("dist", { recursive: true, force: true });
else rmSync("dist/stamp", { force: true });
const write = (path, text) => {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
};

// import.meta.url does not exist in CommonJS: esbuild names it, and the file defines it.
const { build } = await import("esbuild");
const moduleUrl = 'const athanorModuleUrl = require("node:url").pathToFileURL(__filename).href;';
const bundle = (entry, options) =>
  build({
    entryPoints: [entry],
    outdir: "dist/cjs",
    outbase: "lib",
    bundle: true,
    format: "cjs",
    platform: "node",
    target: "node20",
    supported: { using: false },
    external: [...Object.keys(dependencies), ...Object.keys(peerDependencies)],
    keepNames: true,
    sourcemap: "linked",
    sourcesContent: true,
    define: { "import.meta.url": "athanorModuleUrl" },
    banner: { js: moduleUrl },
    logLevel: "warning",
    ...options,
  });
await bundle("lib/index.ts");
await bundle("lib/cli/main.ts");
// The dashboard's page runs in browsers; its charts' library is inside.
await build({
  entryPoints: ["lib/dashboard/client/main.ts"],
  outdir: "dist/cjs/dashboard",
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  logLevel: "warning",
});

/** The names that an entry point exports. */
async function namesOf(entry) {
  const { metafile } = await bundle(entry, { format: "esm", write: false, metafile: true });
  return Object.values(metafile.outputs).find((output) => output.entryPoint === entry).exports;
}

// A door that leads into a part of the package: its names are those of the part in the one implementation.
for (const door of Object.values(doors)) {
  if (typeof door === "string" || door.require === "./dist/cjs/index.js") continue;
  const [, part] = /^\.\/dist\/cjs\/(\w+)\/index\.js$/.exec(door.require);
  const names = await namesOf(`lib/${part}/index.ts`);
  const lines = names.map((name) => `exports.${name} = ${part}.${name};\n`);
  write(door.require, `"use strict";\nconst { ${part} } = require("../index.js");\n${lines.join("")}`);
}
for (const door of Object.values(doors)) {
  if (typeof door === "string") continue;
  const up = "../".repeat(door.import.split("/").length - 3);
  const text = `export * from "${up}${door.require.replace("./dist/", "")}";\n`;
  write(door.import, text);
  write(door.import.replace(/\.js$/, ".d.ts"), text);
}
for (const [format, type] of [
  ["cjs", "commonjs"],
  ["esm", "module"],
]) {
  write(`dist/${format}/package.json`, `${JSON.stringify({ type })}\n`);
}
if (!withTypes) {
  writeFileSync("dist/stamp-without-types", stamp);
  exit(0);
}
const tsc = spawnSync(process.execPath, [require.resolve("typescript/bin/tsc"), "-p", "tsconfig.build.json"], {
  stdio: "inherit",
});
if (tsc.status !== 0) exit(1);

// A consumer may have neither the types of Node nor those of the DOM: the few globals that declarations name are declared with them.
write("dist/cjs/globals.d.ts", readFileSync("scripts/globals.d.ts", "utf8"));
for (const door of Object.values(doors)) {
  if (typeof door === "string") continue;
  const path = door.require.replace(/\.js$/, ".d.ts");
  const up = "../".repeat(path.split("/").length - 4);
  writeFileSync(path, `/// <reference path="${up || "./"}globals.d.ts" />\n${readFileSync(path, "utf8")}`);
}

writeFileSync("dist/stamp", stamp);
console.log(`athanor: wrote dist/ in ${((Date.now() - begun) / 1000).toFixed(1)} s`);
