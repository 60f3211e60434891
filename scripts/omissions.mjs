// npm run test:omissions: what only compilers can see. Leaves one thing out of a copy at a time and asks that the compiler refuses it with
// the sentence that is named here; test/unit/engine/registries.test.ts does the rest at the level of texts.
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { chdir, exit } from "node:process";
import { fileURLToPath } from "node:url";
import ts from "typescript";

chdir(fileURLToPath(new URL("..", import.meta.url)));
const copy = mkdtempSync(join(tmpdir(), "athanor-omissions-"));
cpSync("native", join(copy, "native"), { recursive: true });

const kernels = "native/kernels/elementwise";
const scalar = ["native/kernels/isa/scalar.cc", "-DATHANOR_ISA_SCALAR"];
const native = [
  ["an f32 function", `${kernels}/elementwise_f32.inl.h`, /EW_F32\(mish[^\n]*\n/, scalar, "write its EW_F32 in this file"],
  ["an f64 function", `${kernels}/elementwise_plain.cc`, /EW_F64\(mish[^\n]*\n/, [`${kernels}/elementwise_plain.cc`], "write its EW_F64"],
  ["an i32 function", `${kernels}/elementwise_plain.cc`, /EW_I32\(neg[^\n]*\n/, [`${kernels}/elementwise_plain.cc`], "write its EW_F64 and EW_I32"],
  ["a trait", "native/graph/ops.def", "kElementwise, zeros, 8, \"Tensor.mish\"", ["native/ops/registry.cc"], "ATHANOR_OP"],
  ["a format's table", "native/formats/formats.def", "e8m0, 32, e2m1", ["native/formats/weights.cc"], "contradicts itself", "e8m0, 32, none"],
]; // prettier-ignore

const typescript = [
  ["a spec", "test/ops/specs/order.ts", /\n {2}topk: \{[^]*?\n {2}\},\n(?=\})/, "test/ops/specs/index.ts", "topk"],
  ["special points", "test/ops/special/operations.ts", /\n {2}mish: [^\n]*/, "test/ops/special/operations.ts", "mish"],
  ["a rule of pruning", "lib/prune/structured/elementwise.ts", /\n {2}any_factor: [^\n]*/, "lib/prune/structured/rules.ts", "any_factor"],
  ["a rule of FLOP", "lib/nn/flops.ts", /\n {2}pooling: [^\n]*/, "lib/nn/flops.ts", "pooling"],
  ["a format's meaning", "test/ops/specs/quant/quantized-weight.ts", /\n {2}uint5: [^\n]*/, "test/ops/specs/quant/quantized-weight.ts", "uint5"],
]; // prettier-ignore

let failed = 0;
function say(what, path, told, wanted) {
  const ok = told.includes(wanted);
  if (!ok) ++failed;
  console.log(
    `${ok ? "ok     " : "FAILED "} without ${what} (${path})${ok ? "" : `: expected "${wanted}", got ${told || "no error"}`}`,
  );
}

const without = (path, from, to) => {
  const text = readFileSync(path, "utf8");
  const changed = text.replace(from, to);
  if (changed === text) throw new Error(`omissions: ${path} does not hold ${from}`);
  return changed;
};

for (const [what, path, from, unit, wanted, to = ""] of native) {
  writeFileSync(join(copy, path), without(path, from, to));
  const [source, ...flags] = unit;
  const args = ["-std=c++20", "-fsyntax-only", `-I${join(copy, "native")}`, ...flags, join(copy, source)];
  say(what, path, spawnSync(process.env.CXX ?? "g++", args, { encoding: "utf8" }).stderr, wanted);
  cpSync(path, join(copy, path));
}
rmSync(copy, { recursive: true, force: true });

const { config } = ts.readConfigFile("tsconfig.json", (path) => ts.sys.readFile(path));
const { options } = ts.parseJsonConfigFileContent(config, ts.sys, ".");
for (const [what, path, from, checked, wanted] of typescript) {
  const host = ts.createCompilerHost(options);
  const read = host.readFile.bind(host);
  const text = without(path, from, "");
  host.readFile = (name) => (resolve(name) === resolve(path) ? text : read(name));
  const program = ts.createProgram([resolve(checked)], { ...options, noEmit: true, incremental: false }, host);
  const faults = program.getSemanticDiagnostics(program.getSourceFile(resolve(checked)));
  say(
    what,
    path,
    faults.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n")).join("\n"),
    wanted,
  );
}
exit(failed ? 1 : 0);
