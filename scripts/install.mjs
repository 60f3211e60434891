// The engine for this machine: npm runs this on install. Takes the prebuilt package of the platform where one fits, else compiles
// native/ without a download, with as many jobs as there are cores (ATHANOR_JOBS). ATHANOR_BUILD=source compiles in any case.
// Does nothing when the addon at hand was built from the same sources, flags and compiler. On failure: the end of the log and what
// to do. --verbose shows the compiler's output, --quiet prints nothing when there was nothing to do.
import { spawn } from "node:child_process";
import { createWriteStream, existsSync, mkdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { chdir, exit } from "node:process";
import { fileURLToPath } from "node:url";
import { removeAllButAddon } from "./install/clean.mjs";
import { compilerEnvironment } from "./install/compilers.mjs";
import { failure } from "./install/failure.mjs";
import { nodeDirectory } from "./install/headers.mjs";
import { nodeGypScript } from "./install/node-gyp.mjs";
import { usablePrebuilt } from "./install/prebuilt.mjs";
import { progressOf } from "./install/progress.mjs";
import { buildHash, isFresh, writeStamp } from "./install/stamp.mjs";

const verbose = process.argv.includes("--verbose");
const quiet = process.argv.includes("--quiet");
const logFile = "build/install.log";

chdir(fileURLToPath(new URL("..", import.meta.url)));
const isCheckout = existsSync("scripts/generate/sources.mjs");
const prebuilt = isCheckout || process.env.ATHANOR_BUILD === "source" ? undefined : usablePrebuilt();
if (prebuilt?.path) {
  if (!quiet) console.log(`athanor: the engine is ${prebuilt.name} ${prebuilt.version}, built before`);
} else {
  await compile();
}

async function compile() {
  mkdirSync("build", { recursive: true });
  // In a checkout the list of sources follows the tree; the package ships it.
  if (isCheckout) await (await import("./generate.mjs")).generate({ only: "native/sources.gypi" });
  const compilers = compilerEnvironment();
  const hash = buildHash(compilers);
  if (isFresh(hash)) {
    if (!quiet) console.log("athanor: the engine is built already from these sources");
    return;
  }
  const begun = Date.now();
  const jobs = process.env.ATHANOR_JOBS || String(availableParallelism());
  const log = createWriteStream(logFile);
  if (prebuilt) log.write(`no prebuilt engine: ${prebuilt.reason}\n`);
  const status = await build(compilers, jobs, log);
  await new Promise((done) => log.end(done));
  if (status !== 0) {
    console.error(failure(status, logFile));
    exit(1);
  }
  const seconds = (Date.now() - begun) / 1000;
  writeStamp(hash, seconds);
  if (!isCheckout) removeAllButAddon();
  console.log(`athanor: built the engine in ${seconds.toFixed(0)} s (${compilers.CXX ?? "msvc"}, ${jobs} jobs)`);
}

async function build(compilers, jobs, log) {
  const script = nodeGypScript();
  if (!script) {
    log.write("node-gyp was not found beside npm nor in node_modules\n");
    return 1;
  }
  const directory = nodeDirectory(resolve("build"));
  const nodeGyp = (...command) => run([script, ...command, "--release"], compilers, log);
  const configured = await nodeGyp("configure", ...(directory ? [`--nodedir=${directory}`] : []));
  return configured || nodeGyp("build", `--jobs=${jobs}`);
}

function run(command, compilers, log) {
  const child = spawn(process.execPath, command, { env: { ...process.env, ...compilers } });
  const progress = progressOf(child.stdout, verbose ? undefined : process.env);
  for (const stream of [child.stdout, child.stderr]) {
    stream.pipe(log, { end: false });
    if (verbose) stream.pipe(process.stderr, { end: false });
  }
  return new Promise((done) => {
    child.on("error", () => done(1));
    child.on("close", (code, signal) => {
      progress.end();
      done(signal ?? code);
    });
  });
}
