// Every update rule's step over 12.1 M parameters of a transformer's sizes, ranked by time a parameter. Gradients lie in the engine, so that
// nothing but the step is measured: median of 25 steps, of rules with matrix work 5.
//   npx tsx bench/optimizer-rules.ts
import { addon, type NativeVariable } from "../lib/native/index.js";
import { rules, type Hyper, type RuleName } from "../lib/native/rules.js";

const repeat = (shape: number[], times: number) => Array.from({ length: times }, () => shape);
const extents = [...repeat([512, 512], 20), ...repeat([512, 1024], 13), ...repeat([768], 32)];
const total = extents.reduce((sum, shape) => sum + shape.reduce((a, b) => a * b, 1), 0);

function variable(shape: number[], name: string, stream: number, deviation: number): NativeVariable {
  const made = new addon.Variable("f32", shape, name);
  made.fill("normal", 0, deviation, 1, stream);
  return made;
}

function medianOf(rule: RuleName): number {
  const variables = extents.map((shape, i) => variable(shape, `p${i}`, i, 0.02));
  const gradients = extents.map((shape, i) => variable(shape, `g${i}`, extents.length + i, 1e-2));
  const hyper = Float64Array.from(rules[rule].hyper as readonly Hyper[], ({ default: value }) => Number(value));
  const optimizer = new addon.Optimizer(rule, [{ variables, hyper }], {});
  const graph = new addon.Graph();
  const given = gradients.map((gradient) => graph.parameter(gradient));
  const report = graph.optimizerStep(optimizer, given, graph.input("hyper", "f64", [1, hyper.length]));
  graph.setOutputs(["report"], [report]);
  const program = graph.compile();
  const out = new Float64Array(4);
  const times = Array.from({ length: rule === "muon" ? 5 : 25 }, () => {
    const begun = performance.now();
    program.runSync([hyper], [out], 0, 0);
    return performance.now() - begun;
  }).sort((a, b) => a - b);
  [program, graph, optimizer, ...variables, ...gradients].forEach((held) => held.dispose());
  return times[times.length >> 1]!;
}

const rows = (Object.keys(rules) as RuleName[]).map((rule) => ({ rule, ms: medianOf(rule) }));
console.log(`${(total / 1e6).toFixed(1)} M parameters, ${addon.isa()}\n`);
console.log("| rule | ms a step | ns a parameter |\n|---|---:|---:|");
for (const { rule, ms } of rows.sort((a, b) => a.ms - b.ms)) {
  console.log(`| ${rule} | ${ms.toFixed(2)} | ${((ms * 1e6) / total).toFixed(2)} |`);
}
