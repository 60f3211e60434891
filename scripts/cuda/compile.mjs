// Compiles every kernel as the plugin does, for both targets, with warnings, spills and local memory as errors:
//   node scripts/cuda/compile.mjs [--report] [FILE …]
// --report writes bench/results/cuda-registers.md, the rows of these files where some are named. What is newer than its sources is not made again. Where there is no nvcc, a line says so.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename } from "node:path";
import { chdir, exit } from "node:process";
import { fileURLToPath } from "node:url";
import { findNvcc } from "./nvcc.mjs";
import { kernelSources } from "./sources.mjs";

chdir(fileURLToPath(new URL("../..", import.meta.url)));
const nvcc = findNvcc();
if (!nvcc) {
  console.log("skipped the compilation of CUDA kernels: nvcc is not here");
  exit(0);
}
const wanted = process.argv.slice(2).filter((argument) => argument !== "--report");
const sources = kernelSources().filter((path) => !wanted.length || wanted.some((name) => path.includes(name)));
/** The library's double functions of large arguments keep their bits of 2 / pi in local memory. */
const mayUseLocalMemory = ["cuda/kernels/elementwise/elementwise_f64.cu"];
const targets = ["compute_80,code=[sm_80,compute_80]", "compute_90a,code=sm_90a"];
const out = "build/cuda/compiled";
const registers = "bench/results/cuda-registers.md";
mkdirSync(out, { recursive: true });

function flagsOf(source) {
  const watched = ["-v", "--warn-on-spills", "-Werror"];
  if (!mayUseLocalMemory.includes(source)) watched.push("--warn-on-local-memory-usage");
  return [
    ...[
      "-std=c++20",
      "-O3",
      "-fmad=false",
      "--expt-relaxed-constexpr",
      "--compress-mode=size",
      "-Werror",
      "all-warnings",
    ],
    ...["-Xptxas", watched.join(","), "-Xcompiler", "-Wall,-Wextra,-fPIC", "-Inative", "-I."],
    ...targets.flatMap((target) => ["-gencode", `arch=${target}`]),
  ];
}

/** What ptxas said of an object that is newer than this script and all that it was made of; undefined where it has to be made. */
function kept(path) {
  const [object, said, parts] = ["o", "txt", "d"].map((ending) => `${path}.${ending}`);
  if (![object, said, parts].every((file) => existsSync(file))) return undefined;
  const made = statSync(object).mtimeMs;
  const [, list] = readFileSync(parts, "utf8").split(" : ");
  const files = list.replaceAll("\\\n", " ").split(/\s+/).filter(Boolean);
  const stale = [...files, fileURLToPath(import.meta.url)].some(
    (file) => !existsSync(file) || statSync(file).mtimeMs > made,
  );
  return (!stale && readFileSync(said, "utf8")) || undefined;
}

const run = (source) =>
  new Promise((resolve) => {
    const path = `${out}/${basename(source, ".cu")}`;
    const before = kept(path);
    if (before !== undefined) return resolve({ source, status: 0, text: before });
    writeFileSync(`${path}.txt`, ""); // until it is made
    const command = [...flagsOf(source), "-MMD", "-MF", `${path}.d`, "-c", source, "-o", `${path}.o`];
    const child = spawn(nvcc, command, { stdio: ["ignore", "pipe", "pipe"] });
    let text = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (text += chunk));
    child.on("close", (status) => {
      if (status === 0) writeFileSync(`${path}.txt`, text);
      resolve({ source, status, text });
    });
  });

/** Rows { kernel, target, registers, shared, spills } of what ptxas says. */
function kernelsOf({ source, text }) {
  const rows = [];
  let entry;
  for (const line of text.split("\n")) {
    const begun = /Compiling entry function '(\w+)' for '(\w+)'/.exec(line);
    if (begun) entry = { source, name: begun[1], target: begun[2], spills: 0, stack: 0 };
    const stack = /(\d+) bytes stack frame, (\d+) bytes spill stores/.exec(line);
    if (stack && entry) [entry.stack, entry.spills] = [Number(stack[1]), Number(stack[2])];
    const used = /Used (\d+) registers/.exec(line);
    if (!used || !entry) continue;
    rows.push({ ...entry, registers: Number(used[1]), shared: Number(/(\d+) bytes smem/.exec(line)?.[1] ?? 0) });
    entry = undefined;
  }
  return rows;
}

function readable(names) {
  const { stdout } = spawnSync("c++filt", [], { input: names.join("\n"), encoding: "utf8" });
  return (stdout ?? names.join("\n")).split("\n").map((name) =>
    name
      .replace(/^void /, "")
      .replace(/athanor::(cuda::)?|\(anonymous namespace\)::|_GLOBAL__N__\w+::|optim::/g, "")
      .replace(
        /\(ReduceOp\)(\d+)/g,
        (_, op) => ["sum", "mean", "sum_abs", "sum_squares", "prod", "max", "min", "argmax", "argmin"][op],
      )
      .replace(/\((int|bool)\)/g, "")
      .replace(/\([^()]*(\([^()]*\)[^()]*)*\)$/, ""),
  );
}

function report(rows) {
  const names = readable(rows.map(({ name }) => name));
  const table = new Map();
  rows.forEach((row, i) => {
    const key = `${basename(row.source)} ${names[i]}`;
    table.set(key, {
      ...table.get(key),
      source: basename(row.source),
      kernel: names[i],
      shared: row.shared,
      stack: row.stack,
      [row.target]: row.registers,
    });
  });
  const made = [...table.values()].map(
    ({ source, kernel, shared, stack, ...used }) =>
      `| \`${source}\` | \`${kernel.replaceAll("|", "\\|")}\` | ${used.sm_80} | ${used.sm_90a} | ${shared} | ${stack} |`,
  );
  // Of files that were not asked for, what stands there.
  const all = new Set(kernelSources().map((path) => basename(path)));
  const now = new Set(sources.map((path) => basename(path)));
  const fileOf = (line) => /^\| `([^`]+\.cu)`/.exec(line)?.[1];
  const before = existsSync(registers) ? readFileSync(registers, "utf8").split("\n") : [];
  const stays = before.filter((line) => all.has(fileOf(line)) && !now.has(fileOf(line)));
  const lines = [...stays, ...made].sort((one, other) =>
    fileOf(one) < fileOf(other) ? -1 : fileOf(one) > fileOf(other) ? 1 : 0,
  );
  const version = /release ([\d.]+), V([\d.]+)/.exec(spawnSync(nvcc, ["--version"], { encoding: "utf8" }).stdout)?.[2];
  const text = [
    "# Registers and shared memory of the CUDA kernels",
    "",
    `What ptxas ${version} says of every kernel, for compute capability 8.0 and 9.0a; written by \`npm run check:cuda -- --report\`. No`,
    "kernel spills; the last column is local memory in bytes, which only f64 functions of the library use. Shared memory is that of",
    "arrays; attention and the products on tensor cores ask for more at their launch. These are properties of the code: nothing here",
    "was measured on a GPU.",
    "",
    "| file | kernel | registers, 8.0 | registers, 9.0a | shared memory, bytes | stack, bytes |",
    "| --- | --- | ---: | ---: | ---: | ---: |",
    ...lines,
    "",
  ].join("\n");
  writeFileSync(registers, text);
  console.log(`wrote ${registers}: ${lines.length} kernels`);
}

const begun = Date.now();
const queue = [...sources];
const results = [];
await Promise.all(
  Array.from({ length: Number(process.env.ATHANOR_JOBS) || availableParallelism() }, async () => {
    for (let source; (source = queue.shift());) {
      const result = await run(source);
      results.push(result);
      if (result.status === 0) continue;
      console.log(`FAILED  ${source}`);
      console.log(
        result.text
          .split("\n")
          .filter((line) => /error|warning/i.test(line))
          .join("\n"),
      );
    }
  }),
);
const failed = results.filter(({ status }) => status !== 0).length;
const rows = results.sort((a, b) => (a.source < b.source ? -1 : 1)).flatMap(kernelsOf);
const count = rows.length / targets.length;
console.log(
  `CUDA kernels: ${sources.length} files, ${count} kernels for sm_80 and sm_90a in ${((Date.now() - begun) / 1000).toFixed(0)} s, ${failed} files failed`,
);
if (process.argv.includes("--report") && !failed && existsSync("bench/results")) report(rows);
exit(failed ? 1 : 0);
