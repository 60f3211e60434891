// A model traced as it is saved: inputs by name, results by name.
import { ArgumentError } from "../errors.js";
import { feedAll, type ModelLike } from "../nn/index.js";
import type { InputSignatures } from "../tensor/signature.js";
import { Tensor } from "../tensor/tensor.js";
import { Trace, within } from "../tensor/trace.js";

/** What a model of one result calls it. */
export const onlyOutput = "y";

/** The model's graph for a batch. @throws what tracing throws; ArgumentError for a result that is no tensor */
export function traceModel(
  where: string,
  model: ModelLike,
  inputs: InputSignatures,
  batch: number,
  training = false,
): Trace {
  const trace = new Trace({ training });
  try {
    within(trace, () => {
      const fed = Object.entries(inputs).map(([name, { dtype, shape }]) => {
        return [name, trace.input(name, dtype, [batch, ...shape])] as const;
      });
      const outputs = outputsOf(where, feedAll(model, Object.fromEntries(fed)));
      // What statistics become counts as a result, or it would be dead code.
      const updates = trace.pendingUpdates().map(([, value], i) => [`#${i}`, value]);
      trace.setOutputs({ ...outputs, ...(Object.fromEntries(updates) as Record<string, Tensor>) });
    });
    return trace;
  } catch (thrown) {
    trace.graph.dispose();
    throw thrown;
  }
}

/** Results by name. @throws ArgumentError for anything but tensors */
export function outputsOf(where: string, result: unknown): Readonly<Record<string, Tensor>> {
  if (result instanceof Tensor) return { [onlyOutput]: result };
  const named = typeof result === "object" && result !== null && !Array.isArray(result) ? Object.entries(result) : [];
  if (named.length > 0 && named.every(([, value]) => value instanceof Tensor)) return Object.fromEntries(named);
  throw new ArgumentError(
    `${where}: the model must return a tensor, or tensors by name such as { plan, price }, got ${Array.isArray(result) ? "an array" : result === null ? "null" : typeof result}`,
  );
}
