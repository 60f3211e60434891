// Builds the engine without Node and runs its tests or benches.
//   node scripts/native-test.mjs [release|clang|asan|asan-clang|tsan|simde|neon|isa …] [--only FILE] [--case NAME] [--bench] [-- ARGS]
// Several configurations may be named; "isa" means the release build under every ATHANOR_ISA of this machine, then simde and
// neon where they can be built. A test file that does not compile counts as one failure. The counts are left in
// build/native-report.json.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { chdir, exit } from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { firstProgram } from "./install/compilers.mjs";
import { writeMakefile } from "./native/makefile.mjs";
import { configurations, isasOfThisMachine } from "./native/toolchains.mjs";

chdir(fileURLToPath(new URL("..", import.meta.url)));

const split = process.argv.indexOf("--", 2);
const own = process.argv.slice(2, split < 0 ? undefined : split);
const passedOn = split < 0 ? [] : process.argv.slice(split + 1);
const { values: options, positionals } = parseArgs({
  args: own,
  allowPositionals: true,
  options: {
    only: { type: "string" },
    case: { type: "string", multiple: true },
    bench: { type: "boolean" },
    list: { type: "boolean" },
  },
});
const total = { passed: 0, failed: 0, skipped: 0 };
const suites = [];

function record(suite, counts, note) {
  for (const key of Object.keys(total)) total[key] += counts[key];
  suites.push({ suite, ...counts, note });
}

function unavailable(name) {
  const configuration = configurations[name];
  if (!configuration.compiler()) return "no compiler for it here";
  if (configuration.runner && !firstProgram(configuration.runner[0])) return `no ${configuration.runner[0]} here`;
  if (name === "simde" && (process.arch !== "x64" || !existsSync("/usr/include/simde"))) return "no SIMDe headers here";
  return undefined;
}

function build(name) {
  const configuration = configurations[name];
  const compiler = configuration.compiler();
  const kind = options.bench ? "bench" : "test";
  const { makefile, programs } = writeMakefile({ name, configuration, compiler, kind });
  const wanted = programs.filter((program) => !options.only || program.name.includes(options.only));
  const jobs = String(process.env.ATHANOR_JOBS || availableParallelism());
  const begun = Date.now();
  spawnSync("make", ["-k", "-f", makefile, `-j${jobs}`, ...wanted.map((program) => program.path)], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  console.log(`built ${name} (${compiler}) in ${((Date.now() - begun) / 1000).toFixed(1)} s`);
  // `make -q` tells whether a program is up to date: a stale executable of an earlier build must not pass for a fresh one.
  return wanted.map((program) => ({
    ...program,
    ok: spawnSync("make", ["-q", "-f", makefile, program.path], { stdio: "ignore" }).status === 0,
  }));
}

function execute(name, label, env, programs) {
  const configuration = configurations[name];
  for (const program of programs) {
    const suite = `${label}/${program.name}`;
    if (!program.ok) {
      console.log(`FAILED  ${suite}: it does not build`);
      record(suite, { passed: 0, failed: 1, skipped: 0 }, "does not build");
      continue;
    }
    const command = [...(configuration.runner ?? []), program.path, ...(options.case ?? []), ...passedOn];
    const child = spawnSync(command[0], command.slice(1), {
      encoding: "utf8",
      maxBuffer: 1 << 28,
      stdio: options.bench ? "inherit" : ["ignore", "pipe", "pipe"],
      env: { ...process.env, UBSAN_OPTIONS: "print_stacktrace=1", ...configuration.env, ...env },
    });
    if (options.bench) {
      if (child.status !== 0) record(suite, { passed: 0, failed: 1, skipped: 0 }, `exit ${child.status}`);
      continue;
    }
    const line = /(\d+) passed, (\d+) failed, (\d+) skipped\s*$/.exec(child.stdout);
    const counts = line
      ? { passed: +line[1], failed: +line[2], skipped: +line[3] }
      : { passed: 0, failed: 1, skipped: 0 };
    if (line && child.status !== 0 && counts.failed === 0) counts.failed = 1; // a sanitizer spoke after the tests
    const ended = child.signal ? `killed by ${child.signal}` : `exit ${child.status}`;
    const fine = child.status === 0 && counts.failed === 0;
    console.log(
      `${fine ? "ok     " : "FAILED "} ${suite}: ${counts.passed} of ${counts.passed + counts.failed}${counts.skipped ? `, ${counts.skipped} skipped` : ""}${fine ? "" : ` (${ended})`}`,
    );
    if (!fine || options.list) console.log(child.stdout.replace(/\d+ passed, .*\n$/, "") + child.stderr);
    record(suite, counts, fine ? undefined : ended);
  }
}

function runConfiguration(name) {
  const reason = unavailable(name);
  if (reason) {
    console.log(`skipped ${name}: ${reason}`);
    record(name, { passed: 0, failed: 0, skipped: 1 }, reason);
    return;
  }
  execute(name, name, {}, build(name));
}

for (const name of positionals.length ? positionals : ["release"]) {
  if (name === "isa") {
    const programs = build("release");
    for (const isa of isasOfThisMachine()) execute("release", isa, { ATHANOR_ISA: isa }, programs);
    runConfiguration("simde");
    runConfiguration("neon");
  } else if (name in configurations) {
    runConfiguration(name);
  } else {
    console.error(
      `native-test: unknown configuration "${name}"; known: ${[...Object.keys(configurations), "isa"].join(", ")}`,
    );
    exit(2);
  }
}

mkdirSync("build", { recursive: true });
writeFileSync("build/native-report.json", `${JSON.stringify({ ...total, suites }, null, 2)}\n`);
if (!options.bench)
  console.log(`native tests: passed ${total.passed}, failed ${total.failed}, skipped ${total.skipped}`);
exit(total.failed === 0 ? 0 : 1);
