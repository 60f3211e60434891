// Compiles the engine: npm runs this on install. Uses no network, builds with as many jobs as there are cores (ATHANOR_JOBS),
// prints one line when all is well, and on failure the end of the log and what to do. Does nothing when the addon at hand
// was built from the same sources, flags and compiler. --verbose shows the compiler's output, --quiet not even that line.
import { spawn } from "node:child_process";
import { createWriteStream, existsSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { chdir, exit } from "node:process";
import { fileURLToPath } from "node:url";
import { compilerEnvironment } from "./install/compilers.mjs";
import { nodeDirectory } from "./install/headers.mjs";
import { buildHash, isFresh, writeStamp } from "./install/stamp.mjs";

const require = createRequire(import.meta.url);
const verbose = process.argv.includes("--verbose");
const logFile = "build/install.log";

chdir(fileURLToPath(new URL("..", import.meta.url)));
mkdirSync("build", { recursive: true });
// In a checkout the list of sources follows the tree; the package ships it.
if (existsSync("scripts/generate/sources.mjs"))
  await (await import("./generate.mjs")).generate({ only: "native/sources.gypi" });

const compilers = compilerEnvironment();
const hash = buildHash(compilers);
if (isFresh(hash)) {
  if (!process.argv.includes("--quiet")) console.log("athanor: the engine is built already from these sources");
} else {
  const begun = Date.now();
  const log = createWriteStream(logFile);
  const directory = nodeDirectory(resolve("build"));
  const jobs = process.env.ATHANOR_JOBS || String(availableParallelism());
  const status =
    (await nodeGyp(["configure", ...(directory ? [`--nodedir=${directory}`] : [])], log)) ||
    (await nodeGyp(["build", `--jobs=${jobs}`], log));
  await new Promise((done) => log.end(done));
  if (status !== 0) {
    console.error(failure(status));
    exit(1);
  }
  const seconds = (Date.now() - begun) / 1000;
  writeStamp(hash, seconds);
  console.log(`athanor: built the engine in ${seconds.toFixed(0)} s (${compilers.CXX ?? "msvc"}, ${jobs} jobs)`);
}

function nodeGyp(command, log) {
  const script = require.resolve("node-gyp/bin/node-gyp.js");
  const child = spawn(process.execPath, [script, ...command, "--release"], { env: { ...process.env, ...compilers } });
  for (const stream of [child.stdout, child.stderr]) {
    stream.pipe(log, { end: false });
    if (verbose) stream.pipe(process.stderr, { end: false });
  }
  return new Promise((done) => {
    child.on("error", () => done(1));
    child.on("close", (code, signal) => done(signal ?? code));
  });
}

function failure(status) {
  const lines = readFileSync(logFile, "utf8").split("\n");
  const first = lines.findIndex((line) => /\berror\b[: ]|No such file|not found|Killed/i.test(line));
  const from = first < 0 ? Math.max(0, lines.length - 30) : Math.max(0, first - 2);
  return [
    `athanor: the engine did not compile (node-gyp ended with ${status}). What failed:`,
    "",
    ...lines.slice(from, from + 30).map((line) => `    ${line}`),
    "",
    "What to do:",
    "  1. Install a C++20 compiler (g++ 12 or clang 14, or newer), make and Python 3:",
    "       Debian, Ubuntu: sudo apt-get install g++ make python3     Fedora: sudo dnf install gcc-c++ make python3",
    "       macOS: xcode-select --install     Windows: Visual Studio Build Tools 2022 with C++, and Python 3",
    "  2. If an old compiler was taken, name another one: CC=gcc-12 CXX=g++-12 npm install",
    "  3. If a compiler was killed, memory ran out: ATHANOR_JOBS=1 npm install",
    "  4. If Node's headers are incomplete, use those of a package: ATHANOR_HEADERS=package npm install",
    `  5. Read the whole log: ${resolve(logFile)}`,
  ].join("\n");
}
