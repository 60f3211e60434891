// Saving: the model is traced for use; its graph and its weights become the files of a folder (folder.ts).
import { ArgumentError, checkOptions } from "../errors.js";
import type { StoredTensor } from "../native/index.js";
import { feed, Module, type ModuleLike } from "../nn/index.js";
import { inputOf, type InputSignature } from "../tensor/signature.js";
import { Tensor } from "../tensor/tensor.js";
import { Trace, within } from "../tensor/trace.js";
import { viewOf, type Parameter } from "../tensor/parameter.js";
import type { TypedArray } from "../tensor/dtype.js";
import { checkInput, checkMetadata } from "./check.js";
import { writeFolder } from "./folder.js";
import { describeWeights } from "./weights.js";
import { formatVersion, type Manifest } from "./manifest.js";
import { packedMask } from "./masks.js";
import { pathOf } from "./place.js";
import { describeAll, generalize, probes, type Description, type SavedNode } from "./symbolic.js";

/** Options of {@link save}. */
export interface SaveOptions {
  /** One sample; needed for a model that was neither trained nor run yet. */
  readonly input?: InputSignature;
  /** Text to keep with the model. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/**
 * Saves a model as a folder: what it computes (`graph.json`) and its weights (`weights.safetensors`). It loads without the code
 * that built it. An artifact that is there already is replaced when the new one is complete; no other folder ever is.
 *
 * @throws ArgumentError if the model's input is not known, metadata is not text, or the folder holds anything but an artifact; UnsupportedError if its graph is no function of the batch size;
 *   FileError if the disk refuses, with nothing half-written left behind.
 */
export async function save(model: ModuleLike, path: string | URL, options: SaveOptions = {}): Promise<void> {
  const where = "artifact.save";
  checkOptions(where, options, ["input", "metadata"]);
  pathOf(where, path);
  const metadata = checkMetadata(where, options.metadata ?? {});
  const given = options.input ?? inputOf(model);
  if (!given) {
    throw new ArgumentError(
      `${where}: the model has not been trained or run, so its input is not known; give { input: { dtype: "f32", shape: [784] } } (one sample)`,
    );
  }
  const input = checkInput(where, given);
  const traces = probes.map((batch) => traceForUse(model, input, batch));
  try {
    const descriptions = describeAll(traces) as [Description, Description, Description];
    const tensors = new Map<string, StoredTensor<TypedArray>>();
    const frozen = new Set(
      traces[0]!
        .usedParameters()
        .filter(({ trainable }) => !trainable)
        .map(({ name }) => name),
    );
    const plain = generalize(where, descriptions, {
      tensorOf: (node, index) => collect(tensors, node, index),
      isFrozen: (node) => node.variable !== undefined && frozen.has(node.variable.name),
    });
    const nodes = await withMasks(where, plain, parametersByNode(traces[0]!, descriptions[0]), tensors);
    const manifest: Manifest = {
      format: "athanor",
      version: formatVersion,
      input: { dtype: input.dtype, shape: input.shape },
      outputs: descriptions[0].outputs,
      nodes,
      weights: await describeWeights(parametersOf(model, traces[0]!)),
      metadata,
    };
    await writeFolder(where, path, manifest, [...tensors.values()]);
  } finally {
    for (const trace of traces) trace.graph.dispose();
  }
}

function parametersOf(model: ModuleLike, trace: Trace): readonly Parameter[] {
  const used = new Set(trace.usedParameters());
  if (!(model instanceof Module)) return [...used];
  const parts = ({ form }: Parameter) => Object.values(form?.parts ?? {});
  return model
    .namedWeights()
    .map(({ parameter }) => parameter)
    .filter((parameter) => used.has(parameter) || parts(parameter).some((part) => used.has(part)));
}

function parametersByNode(trace: Trace, { nodes }: Description): readonly (Parameter | undefined)[] {
  const byValue = new Map(trace.usedParameters().map((parameter) => [trace.parameter(parameter).id, parameter]));
  let value = 0;
  return nodes.map(({ outputs }) => {
    const parameter = byValue.get(value);
    value += outputs;
    return parameter;
  });
}

// The masks become tensors beside their weights, and their nodes name them.
async function withMasks(
  where: string,
  nodes: readonly SavedNode[],
  parameters: readonly (Parameter | undefined)[],
  tensors: Map<string, StoredTensor<TypedArray>>,
): Promise<SavedNode[]> {
  const named: SavedNode[] = [];
  for (const [index, node] of nodes.entries()) {
    const parameter = parameters[index];
    if (!parameter?.mask) {
      named.push(node);
      continue;
    }
    const { saved, stored } = await packedMask(where, parameter, freeName(tensors, `${node.tensor}.mask`, index));
    tensors.set(stored.name, stored);
    named.push({ ...node, mask: saved });
  }
  return named;
}

function traceForUse(model: ModuleLike, input: InputSignature, batch: number): Trace {
  const trace = new Trace();
  within(trace, () => {
    const x = trace.input("x", input.dtype, [batch, ...input.shape]);
    const y = feed(model, x);
    if (!(y instanceof Tensor)) throw new ArgumentError("artifact.save: the model must return one tensor");
    trace.graph.setOutputs(["y"], [y.id]);
  });
  return trace;
}

type Node = Description["nodes"][number];

// Stores the values behind a parameter or constant; the name they have in the file.
function collect(tensors: Map<string, StoredTensor<TypedArray>>, node: Node, index: number): string | undefined {
  const buffer = node.variable?.read() ?? node.constant;
  if (buffer === undefined || node.type === undefined) return undefined;
  const wanted = node.variable?.name ?? "";
  const name = freeName(tensors, wanted === "" ? `${node.op}.${index}` : wanted, index);
  const dtype = node.type.dtype;
  tensors.set(name, { name, dtype, shape: node.type.shape, data: viewOf(dtype, buffer) });
  return name;
}

function freeName(tensors: ReadonlyMap<string, unknown>, wanted: string, index: number): string {
  let name = wanted;
  while (tensors.has(name)) name += `.${index}`;
  return name;
}
