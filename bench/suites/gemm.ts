// f32 matrix products as compiled programs of two operands in the engine; the product stays there. Written on the addon, below
// the public API, because that would copy the operands in and the product out.
import { addon } from "../../lib/native/index.js";
import { sharedSuite } from "../definitions.js";

function operand(rows: number, columns: number, stream: number) {
  const variable = new addon.Variable("f32", [rows, columns], `operand${stream}`);
  variable.fill("uniform", -1, 1, 1, stream);
  return variable;
}

export default sharedSuite("gemm", (name) => {
  const [M, N, K] = name.split("x").map(Number) as [number, number, number];
  const graph = new addon.Graph();
  const a = operand(M, K, 1);
  const b = operand(K, N, 2);
  const c = graph.apply("matmul", [graph.parameter(a), graph.parameter(b)], { trans_a: false, trans_b: false });
  graph.setOutputs(["c"], [c]);
  const program = graph.compile();
  return {
    step: () => program.runSync([], [null], 0, 0),
    dispose: () => [program, graph, a, b].forEach((held) => held.dispose()),
  };
});
