// Looks at the machine code that scripts/cuda/compile.mjs left in build/cuda/compiled: whether the loops that matter have the instructions
// that they were written for.
//   node scripts/cuda/sass.mjs [--report]
// --report writes bench/results/cuda-sass.md. cuobjdump is that of the PATH, of CUOBJDUMP or of the CUDA toolkit (PyPI has it alone:
// nvidia-cuda-cuobjdump); where there is none, or nothing is compiled, a line says so.
import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { chdir, exit } from "node:process";
import { fileURLToPath } from "node:url";
import { firstProgram } from "../install/compilers.mjs";
import { findNvcc } from "./nvcc.mjs";

chdir(fileURLToPath(new URL("../..", import.meta.url)));

/**
 * What some loop of a kernel must have, by the name of the kernel's source and a part of its own: all in the same loop. Addresses out of a table
 * of tensors are generic to the compiler: LD and ST.
 */
const wanted = [
  { file: "matmul_mma", kernel: "matmul_mma_kernel", loop: ["HMMA", "LDGSTS"] },
  { file: "sparse_two_four", kernel: "two_four_kernel", loop: ["HMMA.SP", "LDGSTS", "LDSM"] },
  { file: "sparse_tiles", kernel: "tiles_kernel", loop: ["HMMA", "LDGSTS", "LDSM"] },
  { file: "quant_integers", kernel: "quant_mma_kernel", loop: ["IMMA", "LDGSTS", "LDSM"] },
  { file: "quant_floats", kernel: "quant_mma_kernel", loop: ["HMMA", "LDGSTS", "LDSM"] },
  { file: "quant_rows", kernel: "quant_rows_kernel", loop: ["FFMA", "LDG"] },
  { file: "sparse", kernel: "sparse_rows_kernel", loop: ["FFMA", "POPC", "LDG"] },
  { file: "matmul", kernel: "matmul_kernel", loop: ["FFMA|DFMA", "LDS"] },
  { file: "attention", kernel: "attention_kernel", loop: ["FFMA", "LDS"] },
  { file: "optim", kernel: "optim_update_kernel", loop: ["LD", "ST"] },
];
/** Of the report: a loop has as many of each. */
const counted = ["HMMA.SP", "HMMA", "IMMA", "LDSM", "LDGSTS", "LDG", "LDS", "FFMA"];

const inFolder = (folder) => folder && join(folder, "cuobjdump");
const nvcc = findNvcc();
const named = [process.env.CUOBJDUMP, inFolder(nvcc && dirname(nvcc)), inFolder("/usr/local/cuda/bin")];
const cuobjdump = firstProgram("cuobjdump") ?? named.find((path) => path && existsSync(path));
const objects = wanted.map(({ file }) => `build/cuda/compiled/${file}.o`);
if (!cuobjdump || !objects.some((path) => existsSync(path))) {
  console.log(
    `skipped the look at machine code: ${cuobjdump ? "no kernel is compiled (npm run check:cuda)" : "cuobjdump is not here"}`,
  );
  exit(0);
}

/** Whether an instruction is of a kind: LDG is no LDGSTS, HMMA.SP is told from HMMA. */
const isOf = (opcode, kind) =>
  kind
    .split("|")
    .some((one) => (one === "HMMA" ? /^HMMA\.(?!SP)/.test(opcode) : opcode === one || opcode.startsWith(`${one}.`)));

/** Every function: { target, name, code: [{ at, opcode, to }] }; `to` is where a branch goes. */
function functionsOf(text) {
  const functions = [];
  let target;
  for (const line of text.split("\n")) {
    target = /^\s*arch = (\w+)/.exec(line)?.[1] ?? target;
    const begun = /Function : (\w+)/.exec(line);
    if (begun) functions.push({ target, name: begun[1], code: [] });
    const instruction = /^\s*\/\*([0-9a-f]{4,})\*\/\s+(?:@!?U?P\w+\s+)?([A-Z][\w.]*)(.*);/.exec(line);
    if (!instruction || !functions.length) continue;
    const [, at, opcode, operands] = instruction;
    const to = opcode.startsWith("BRA") ? /(0x[0-9a-f]+)\s*$/.exec(operands.trim())?.[1] : undefined;
    functions.at(-1).code.push({ at: parseInt(at, 16), opcode, to: to && parseInt(to, 16) });
  }
  return functions;
}

/** Opcodes of every loop: from where a branch goes back to, to the branch. */
const loopsOf = ({ code }) =>
  code
    .filter(({ at, to }) => to !== undefined && to <= at)
    .map((branch) => code.filter(({ at }) => at >= branch.to && at <= branch.at).map(({ opcode }) => opcode));

const count = (opcodes, kind) => opcodes.filter((opcode) => isOf(opcode, kind)).length;

/** The smallest loop with all that is wanted. */
const hotLoop = (one, kinds) =>
  loopsOf(one)
    .filter((opcodes) => kinds.every((kind) => count(opcodes, kind) > 0))
    .sort((a, b) => a.length - b.length)[0];

function readable(name) {
  const { stdout } = spawnSync("c++filt", [name], { encoding: "utf8" });
  return (stdout || name)
    .trim()
    .replace(/^void /, "")
    .replace(/athanor::(cuda::)?|\(anonymous namespace\)::|_GLOBAL__N__\w+::|\((int|bool)\)/g, "")
    .replace(/\([^()]*(\([^()]*\)[^()]*)*\)$/, "");
}

let failed = 0;
const rows = [];
for (const { file, kernel, loop } of wanted) {
  const object = `build/cuda/compiled/${file}.o`;
  if (!existsSync(object)) continue;
  const { stdout, status, stderr } = spawnSync(cuobjdump, ["-sass", object], { encoding: "utf8", maxBuffer: 2 ** 30 });
  if (status !== 0) throw new Error(`cuobjdump ${object}: ${stderr}`);
  const kernels = functionsOf(stdout).filter(({ name }) => name.includes(kernel));
  if (!kernels.length) {
    console.log(`FAILED  ${file}.cu: no kernel has ${kernel} in its name`);
    ++failed;
  }
  for (const one of kernels) {
    const found = hotLoop(one, loop);
    const title = `${file}.cu ${readable(one.name)}, ${one.target}`;
    const local = one.code.filter(({ opcode }) => /^(LDL|STL)\b/.test(opcode)).length;
    if (!found || local) {
      console.log(
        `FAILED  ${title}: ${found ? `${local} accesses of local memory` : `no loop with ${loop.join(", ")}`}`,
      );
      ++failed;
    }
    rows.push({ file, name: readable(one.name), target: one.target, loop, opcodes: found ?? [] });
  }
}

function report() {
  const lines = rows.map(
    ({ file, name, target, loop, opcodes }) =>
      `| \`${file}.cu\` | \`${name.replaceAll("|", "\\|")}\` | ${target} | ${loop.join(", ").replaceAll("|", " or ")} | ${[opcodes.length, ...counted.map((kind) => count(opcodes, kind) || "")].join(" | ")} |`,
  );
  const text = [
    "# Machine code of the kernels' hot loops",
    "",
    "The smallest loop of each kernel that has all the instructions it was written for, and how many of them; written by",
    "`npm run check:sass -- --report` from what `npm run check:cuda` compiled. HMMA counts dense products of tensor cores, HMMA.SP those by",
    "`mma.sp`, LDGSTS `cp.async`, LDSM `ldmatrix`. No kernel here touches local memory. Nothing was run on a GPU.",
    "",
    `| file | kernel | target | wanted | instructions | ${counted.join(" | ")} |`,
    `| --- | --- | --- | --- | ${["", ...counted].map(() => "---:").join(" | ")} |`,
    ...lines,
    "",
  ].join("\n");
  writeFileSync("bench/results/cuda-sass.md", text);
  console.log(`wrote bench/results/cuda-sass.md: ${rows.length} kernels`);
}

console.log(`machine code: ${rows.length} kernels looked at, ${failed} fail`);
if (process.argv.includes("--report") && !failed && existsSync("bench/results")) report();
exit(failed ? 1 : 0);
