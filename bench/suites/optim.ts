// Optimizer steps alone: gradients that lie in the engine, parameters and states updated in place. Written on the addon, below
// the public API, where a gradient always comes from a loss.
import { addon, type NativeVariable } from "../../lib/native/index.js";
import { rules } from "../../lib/native/rules.js";
import { sharedSuite } from "../definitions.js";

const repeat = (shape: number[], times: number) => Array.from({ length: times }, () => shape);

/** The tensors of bench/peers/torch_optim.py. */
const shapes: Record<string, number[][]> = {
  "24m": [...repeat([512, 512], 40), ...repeat([512, 1024], 26), ...repeat([768], 32), [256, 512], [512, 256]],
  "2000x1k": repeat([1000], 2000),
};

function variable(shape: number[], name: string, stream: number, deviation: number): NativeVariable {
  const made = new addon.Variable("f32", shape, name);
  made.fill("normal", 0, deviation, 1, stream);
  return made;
}

export default sharedSuite("optim", (name) => {
  const extents = shapes[name.split("-")[1]!]!;
  const variables = extents.map((shape, i) => variable(shape, `p${i}`, i, 0.02));
  const gradients = extents.map((shape, i) => variable(shape, `g${i}`, extents.length + i, 1e-2));
  const hyper = Float64Array.from(rules.adamw.hyper, ({ default: value }) => Number(value));
  // A norm that is never reached, as for the peers: the pass over the gradients is the same.
  const options = name.endsWith("clip") ? { maxNorm: 1e9 } : {};
  const optimizer = new addon.Optimizer("adamw", [{ variables, hyper }], options);
  const graph = new addon.Graph();
  const given = gradients.map((gradient) => graph.parameter(gradient));
  const report = graph.optimizerStep(optimizer, given, graph.input("hyper", "f64", [1, hyper.length]));
  graph.setOutputs(["report"], [report]);
  const program = graph.compile();
  const out = new Float64Array(4);
  return {
    step: () => program.runSync([hyper], [out], 0, 0),
    dispose: () => [program, graph, optimizer, ...variables, ...gradients].forEach((held) => held.dispose()),
  };
});
