// What a model does in training alone: dropout, the statistics of a batch, running ones that go on. Where its graph in training is
// another than in use, that is saved beside it, over the same weights, with the values that statistics take after a step.
import { AthanorError } from "../errors.js";
import { Module, type ModelLike } from "../nn/index.js";
import type { InputSignatures } from "../tensor/signature.js";
import type { Parameter } from "../tensor/parameter.js";
import type { Trace } from "../tensor/trace.js";
import type { Manifest, NoTraining, SavedTraining } from "./manifest.js";
import { describeAll, generalize, probes, type Description, type SavedNode, type StoredValues } from "./symbolic.js";
import { traceModel } from "./trace-model.js";

/** Nodes in use, then those in training. */
export function allNodes({ nodes, training }: Pick<Manifest, "nodes" | "training">): readonly SavedNode[] {
  return training && "nodes" in training ? [...nodes, ...training.nodes] : nodes;
}

/** What {@link trainingGraph} is made of. */
export interface TrainingSource {
  readonly where: string;
  readonly model: ModelLike;
  readonly inputs: InputSignatures;
  /** The graph in use. */
  readonly used: Description;
  /** Its nodes as saved, and their parameters. */
  readonly nodes: readonly SavedNode[];
  readonly parameters: readonly (Parameter | undefined)[];
  /** For parameters that only training knows, and constants. */
  readonly store: (trace: Trace) => StoredValues;
  readonly parametersOf: (trace: Trace, description: Description) => readonly (Parameter | undefined)[];
}

/** The graph in training; nothing where it is that of use. */
export function trainingGraph(source: TrainingSource): SavedTraining | NoTraining | undefined {
  const { where, model, inputs, used } = source;
  const traces: Trace[] = [];
  try {
    for (const batch of probes) traces.push(traceModel(where, model, inputs, batch, true));
    const descriptions = describeAll(traces) as [Description, Description, Description];
    const updates = traces[0]!.pendingUpdates();
    if (updates.length === 0 && isAlike(model, descriptions[0], used)) return undefined;
    const names = new Map<Parameter | undefined, string | undefined>();
    source.parameters.forEach((parameter, i) => names.set(parameter, source.nodes[i]!.tensor));
    const own = source.parametersOf(traces[0]!, descriptions[0]);
    const { tensorOf, isFrozen } = source.store(traces[0]!);
    const nodes = generalize(where, descriptions, {
      tensorOf: (node, i) => {
        const name = (own[i] && names.get(own[i])) ?? tensorOf(node, i);
        if (own[i]) names.set(own[i], name);
        return name;
      },
      isFrozen,
    });
    const { outputs } = descriptions[0];
    const results = outputs.length - updates.length;
    return {
      nodes,
      outputs: outputs.slice(0, results).map(({ name, value }) => ({ name, value })),
      updates: updates.map(([parameter], i) => ({ tensor: names.get(parameter)!, value: outputs[results + i]!.value })),
    };
  } catch (thrown) {
    if (!(thrown instanceof AthanorError)) throw thrown;
    return { missing: thrown.message };
  } finally {
    for (const trace of traces) trace.graph.dispose();
  }
}

// Packed weights are multiplied by other kernels in use than in training, of the same numbers: no reason to hold two graphs.
function isAlike(model: ModelLike, trained: Description, used: Description): boolean {
  const packed = model instanceof Module && model.namedWeights().some(({ parameter }) => parameter.packed);
  const differs = trained.nodes.some(({ op }) => op === "random_uniform" || op === "batch_norm");
  return (packed && !differs) || shapeOf(trained) === shapeOf(used);
}

const shapeOf = ({ nodes, outputs }: Description): string =>
  JSON.stringify([nodes.map(({ op, inputs, attrs }) => [op, inputs, attrs]), outputs]);
