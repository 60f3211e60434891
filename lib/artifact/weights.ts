// What a saved model's parameters are: names, shapes, forms, and how many of their elements are not zero, counted by the engine.
import { call } from "../native/index.js";
import type { Parameter } from "../tensor/parameter.js";
import { Program } from "../tensor/program.js";
import { Trace, within } from "../tensor/trace.js";
import type { SavedWeight } from "./manifest.js";

/** Describes parameters, each by the value that its form gives. */
export async function describeWeights(parameters: readonly Parameter[]): Promise<SavedWeight[]> {
  const named = parameters.map((parameter, i) => ({ parameter, port: String(i) }));
  if (named.length === 0) return [];
  const trace = new Trace();
  try {
    const counts = within(trace, () =>
      named.map(({ parameter }) => {
        const { dtype } = parameter;
        const value = trace.value(parameter);
        return (dtype === "f32" || dtype === "f64" ? value : value.cast("f32")).ne(0).cast("f64").sum().id;
      }),
    );
    call(() =>
      trace.graph.setOutputs(
        named.map(({ port }) => port),
        counts,
      ),
    );
    const program = new Program(
      call(() => trace.graph.compile()),
      "artifact.save",
    );
    const results = await program.run({}).finally(() => program.dispose());
    return named.map(({ parameter, port }) => ({
      name: parameter.name,
      shape: parameter.shape,
      kind: parameter.form?.kind ?? parameter.dtype,
      nonzero: results[port]!.data[0]!,
    }));
  } finally {
    trace.graph.dispose();
  }
}
