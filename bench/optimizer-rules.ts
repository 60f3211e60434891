// Every update rule's step over 12.1 M parameters of a transformer's sizes, ranked by time a parameter, and AdamW's with states in few bits.
// Gradients lie in the engine, so that nothing but the step is measured: median of 25 steps, of rules with matrix work 3. Beside it the
// time that the same bytes take in a loop without maths over as many arrays (bench/peers/limits.c), measured in the same run; rules
// over whole tensors read some of them twice or three times, which counts as theirs once.
//   npx tsx bench/optimizer-rules.ts [--threads 1] [--only adamw,lion]
import { parseArgs } from "node:util";
import { setThreads } from "../lib/index.js";
import { addon, type NativeVariable } from "../lib/native/index.js";
import { rules, type Hyper, type RuleName } from "../lib/native/rules.js";
import { ceilingOf } from "./ceiling.js";

const { values } = parseArgs({ options: { threads: { type: "string", default: "2" }, only: { type: "string" } } });
const threads = Number(values.threads);
setThreads(threads);

const repeat = (shape: number[], times: number) => Array.from({ length: times }, () => shape);
const extents = [...repeat([512, 512], 20), ...repeat([512, 1024], 13), ...repeat([768], 32)];
const total = extents.reduce((sum, shape) => sum + shape.reduce((a, b) => a * b, 1), 0);

function variable(shape: number[], name: string, stream: number, deviation: number): NativeVariable {
  const made = new addon.Variable("f32", shape, name);
  made.fill("normal", 0, deviation, 1, stream);
  return made;
}

interface Measured {
  readonly name: string;
  readonly ms: number;
  /** Read and written a parameter: itself and its states twice, its gradient once. */
  readonly bytes: number;
  readonly states: number;
}

function measure(rule: RuleName, codec: string): Measured {
  const variables = extents.map((shape, i) => variable(shape, `p${i}`, i, 0.02));
  const gradients = extents.map((shape, i) => variable(shape, `g${i}`, extents.length + i, 1e-2));
  const hyper = Float64Array.from(rules[rule].hyper as readonly Hyper[], ({ default: value }) => Number(value));
  const optimizer = new addon.Optimizer(rule, [{ variables, hyper, states: codec }], {});
  const graph = new addon.Graph();
  const given = gradients.map((gradient) => graph.parameter(gradient));
  const report = graph.optimizerStep(optimizer, given, graph.input("hyper", "f64", [1, hyper.length]));
  graph.setOutputs(["report"], [report]);
  const program = graph.compile();
  const out = new Float64Array(4);
  const times = Array.from({ length: rule === "muon" ? 3 : 25 }, () => {
    const begun = performance.now();
    program.runSync([hyper], [out], 0, 0);
    return performance.now() - begun;
  }).sort((a, b) => a - b);
  const { states } = optimizer.bytes;
  [program, graph, optimizer, ...variables, ...gradients].forEach((held) => held.dispose());
  return {
    name: codec === "f32" ? rule : `${rule}, states in ${codec}`,
    ms: times[times.length >> 1]!,
    bytes: 12 + (2 * states) / total,
    states: Math.round(states / total / 4),
  };
}

const only = values.only?.split(",");
const rows = (Object.keys(rules) as RuleName[])
  .filter((rule) => only?.includes(rule) ?? true)
  .map((rule) => measure(rule, "f32"));
for (const codec of ["bf16", "8bit", "4bit"]) rows.push({ ...measure("adamw", codec), states: 2 });

// GB/s over a gradient, a parameter and so many states.
const kinds = ["r2w1", "r3w2", "r4w3", "r5w4"];
const bandwidth = kinds.map((kind) => ceilingOf(kind, threads)?.value ?? NaN);
const ceiling = ({ bytes, states }: Measured) => bytes / bandwidth[Math.min(states, kinds.length - 1)]!;

console.log(`${(total / 1e6).toFixed(1)} M parameters, ${addon.isa()}, ${threads} threads; without maths ${kinds.map((kind, i) => `${kind} ${bandwidth[i]!.toFixed(0)}`).join(", ")} GB/s\n`); // prettier-ignore
console.log("| rule | ms a step | ns a parameter | bytes | of the ceiling |\n|---|---:|---:|---:|---:|");
for (const row of rows.sort((a, b) => a.ms - b.ms)) {
  const ns = (row.ms * 1e6) / total;
  const share = (100 * ceiling(row)) / ns;
  console.log(
    `| ${row.name} | ${row.ms.toFixed(2)} | ${ns.toFixed(2)} | ${row.bytes.toFixed(1)} | ${Number.isNaN(share) ? "" : `${share.toFixed(0)} %`} |`,
  );
}
