// npm test: builds what is not fresh, then runs the native tests and vitest, and ends with one line taken from the reports of
// both runners: "N passed, N failed, N skipped". Arguments go to vitest; --ts, --native or --cuda (kernels on
// the emulator) runs one part, --matrix tries all samples of the spec matrix in all settings.
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { chdir, exit } from "node:process";
import { fileURLToPath } from "node:url";
import { firstProgram } from "./install/compilers.mjs";

const require = createRequire(import.meta.url);
chdir(fileURLToPath(new URL("..", import.meta.url)));
const own = ["--ts", "--native", "--cuda"];
const passedOn = process.argv.slice(2).filter((argument) => ![...own, "--matrix"].includes(argument));
if (process.argv.includes("--matrix")) process.env.ATHANOR_TEST_MATRIX = "full";
const half = (flag) => process.argv.includes(flag) || !own.some((other) => process.argv.includes(other));
const node = (...args) => spawnSync(process.execPath, args, { stdio: "inherit" }).status ?? 1;
const total = { passed: 0, failed: 0, skipped: 0 };
let status = node("scripts/install.mjs", "--quiet") || node("scripts/build.mjs");
if (status !== 0) exit(status);

function add({ passed, failed, skipped }, ended) {
  total.passed += passed;
  total.failed += failed || (ended !== 0 ? 1 : 0); // a runner that fails without a failed test did not run them all
  total.skipped += skipped;
  status ||= ended;
}

function report(path) {
  if (existsSync(path)) return JSON.parse(readFileSync(path, "utf8"));
  console.error(`test: the runner left no report at ${path}`);
  return undefined;
}

if (half("--native")) {
  const path = "build/native-report.json";
  rmSync(path, { force: true });
  const configurations = (process.env.ATHANOR_NATIVE_TESTS ?? "release").split(/[ ,]+/);
  if (firstProgram("make")) {
    const ended = node("scripts/native-test.mjs", ...configurations);
    add(report(path) ?? { passed: 0, failed: 1, skipped: 0 }, ended);
  } else {
    console.log("skipped the native tests: there is no make here");
    add({ passed: 0, failed: 0, skipped: 1 }, 0);
  }
}

if (half("--cuda")) {
  const path = "build/cuda-report.json";
  rmSync(path, { force: true });
  const ended = node("scripts/cuda/test.mjs");
  add(report(path) ?? { passed: 0, failed: 1, skipped: 0 }, ended);
}

if (half("--ts")) {
  // Tests of devices say themselves why they are skipped where this fails.
  if (firstProgram("make") && existsSync("scripts/cuda/build.mjs")) node("scripts/cuda/build.mjs", "--emulated");
  const path = "build/vitest-report.json";
  mkdirSync("build", { recursive: true });
  rmSync(path, { force: true });
  const vitest = join(dirname(require.resolve("vitest/package.json")), "vitest.mjs");
  const ended = node(vitest, "run", "--reporter=default", "--reporter=json", `--outputFile.json=${path}`, ...passedOn);
  const found = report(path);
  const counts = found && {
    passed: found.numPassedTests,
    failed: found.numFailedTests,
    skipped: found.numPendingTests + found.numTodoTests,
  };
  add(counts ?? { passed: 0, failed: 1, skipped: 0 }, ended);
}

console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
exit(status || (total.failed ? 1 : 0));
