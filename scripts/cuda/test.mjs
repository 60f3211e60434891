// Tests of the emulated kernels, every access checked, in all orders of threads: node scripts/cuda/test.mjs [--only FILE] [CASE …]
// The counts are left in build/cuda-report.json.
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { chdir, exit } from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { firstProgram } from "../install/compilers.mjs";
import { writeMakefile } from "./makefile.mjs";

chdir(fileURLToPath(new URL("../..", import.meta.url)));
const { values: options, positionals } = parseArgs({ allowPositionals: true, options: { only: { type: "string" } } });
const compiler = firstProgram("g++");
if (!compiler || !firstProgram("make")) {
  console.log("skipped the tests of the emulated device: they need g++ and make\n0 passed, 0 failed, 1 skipped");
  mkdirSync("build", { recursive: true });
  writeFileSync("build/cuda-report.json", JSON.stringify({ passed: 0, failed: 0, skipped: 1 }));
  exit(0);
}
const { makefile, programs } = writeMakefile("checked", compiler);
const wanted = programs.filter(({ name }) => !options.only || name.includes(options.only));
const jobs = String(process.env.ATHANOR_JOBS || availableParallelism());
spawnSync("make", ["-k", "-f", makefile, `-j${jobs}`, ...wanted.map(({ path }) => path)], { stdio: "inherit" });

const total = { passed: 0, failed: 0, skipped: 0 };
for (const { name, path } of wanted) {
  if (spawnSync("make", ["-q", "-f", makefile, path], { stdio: "ignore" }).status !== 0) {
    console.log(`FAILED  ${name}: it does not build`);
    ++total.failed;
    continue;
  }
  const begun = Date.now();
  const { stdout, status, signal } = spawnSync(path, positionals, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  const counts = /(\d+) passed, (\d+) failed, (\d+) skipped\s*$/.exec(stdout ?? "");
  process.stdout.write(stdout?.replace(/^ok .*\n/gm, "") ?? "");
  console.log(`${status === 0 ? "ok     " : "FAILED "} ${name} (${((Date.now() - begun) / 1000).toFixed(1)} s)`);
  if (!counts) console.log(`FAILED  ${name}: ended by ${signal ?? `status ${status}`}`);
  total.passed += Number(counts?.[1] ?? 0);
  total.failed += Number(counts?.[2] ?? 1);
  total.skipped += Number(counts?.[3] ?? 0);
}
mkdirSync("build", { recursive: true });
writeFileSync("build/cuda-report.json", JSON.stringify(total));
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
exit(total.failed ? 1 : 0);
