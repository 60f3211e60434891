// Saving: the model is traced for use; its graph and its weights become the files of a folder (folder.ts).
import { requireFields } from "../guidance/arguments.js";
import { ArgumentError, UnsupportedError } from "../errors.js";
import { infoOf, mergedInfo, type InfoOptions } from "../info/index.js";
import { call, type StoredTensor } from "../native/index.js";
import { Module, type ModelLike } from "../nn/index.js";
import { inputsOf, type InputSignature, type InputSignatures } from "../tensor/signature.js";
import type { Trace } from "../tensor/trace.js";
import { viewOf, type Parameter } from "../tensor/parameter.js";
import type { TypedArray } from "../tensor/dtype.js";
import { checkInput } from "./check.js";
import { infoForFile, requireFitting } from "./fitting.js";
import { writeFolder } from "./folder.js";
import { describeWeights } from "./weights.js";
import { formatVersion, type Manifest, type SavedInput } from "./manifest.js";
import { packedMask } from "./masks.js";
import { requireFiniteParts } from "./packed-parts.js";
import { pathOf } from "./place.js";
import { describeAll, generalize, probes, type Description, type SavedNode, type StoredValues } from "./symbolic.js";
import { trainingGraph } from "./training.js";
import { traceModel } from "./trace-model.js";

/** Options of {@link save}; what they say of the model is added to what is known of it already (`model.info`). */
export interface SaveOptions extends InfoOptions {
  /** One sample; needed for a model that was neither trained nor run yet. */
  readonly input?: InputSignature | undefined;
  /** One sample of every input by name, in the order in which the model takes them; for models of several inputs. */
  readonly inputs?: InputSignatures | undefined;
}

/**
 * Saves a model as a folder: what it computes (`graph.json`), its weights (`weights.safetensors`), and what is known of it: task,
 * classes, preprocessing, metrics, provenance. It loads without the code that built it. An artifact that is there already is replaced
 * when the new one is complete; no other folder ever is.
 *
 * @throws ArgumentError if the model's input is not known, what is said of it does not fit, or the folder holds anything but an
 *   artifact; UnsupportedError if its graph is no function of the batch size; FileError if the disk refuses, with nothing
 *   half-written left behind.
 */
export async function save(model: ModelLike, path: string | URL, options: SaveOptions = {}): Promise<void> {
  const where = "artifact.save";
  requireFields(where, options, [], 'options such as { input: { dtype: "f32", shape: [4] } }');
  const { input, inputs: several, ...known } = options;
  const info = mergedInfo(where, infoOf(model), known);
  pathOf(where, path);
  requireWhole(where, model);
  const inputs = signaturesOf(where, model, input, several);
  const traces = probes.map((batch) => traceModel(where, model, inputs, batch));
  try {
    const descriptions = describeAll(traces) as [Description, Description, Description];
    const tensors = new Map<string, StoredTensor<TypedArray>>();
    const store = (trace: Trace) => storeInto(tensors, trace);
    const plain = generalize(where, descriptions, store(traces[0]!));
    const parameters = parametersByNode(traces[0]!, descriptions[0]);
    const nodes = await withMasks(where, plain, parameters, tensors);
    const used = descriptions[0];
    const parts = { where, model, inputs, used, nodes, parameters, store, parametersOf: parametersByNode };
    const training = trainingGraph(parts);
    const saved = Object.entries(inputs).map(([name, { dtype, shape }]): SavedInput => ({ name, dtype, shape }));
    requireFitting(where, info, saved, resultsOf(descriptions[0]));
    const manifest: Manifest = {
      format: "athanor",
      version: formatVersion,
      inputs: saved,
      outputs: descriptions[0].outputs.map(({ name, value }) => ({ name, value })),
      nodes,
      ...(training && { training }),
      weights: await describeWeights(parametersOf(model, traces[0]!)),
      info: infoForFile(info, resultsOf(descriptions[0])),
    };
    await requireFiniteParts(where, model);
    await writeFolder(where, path, manifest, [...tensors.values()]);
  } finally {
    for (const trace of traces) trace.graph.dispose();
  }
}

function signaturesOf(
  where: string,
  model: ModelLike,
  input: InputSignature | undefined,
  inputs: InputSignatures | undefined,
): InputSignatures {
  if (input && inputs) throw new ArgumentError(`${where}: give input or inputs, not both`);
  const found = inputs ?? (input ? { x: input } : inputsOf(model));
  const all = Object.entries(found ?? {}).map(([name, one]) => [name, checkInput(where, one)] as const);
  if (all.length > 0) return Object.fromEntries(all);
  throw new ArgumentError(
    `${where}: the model has not been trained or run, so its input is not known; give { input: { dtype: "f32", shape: [784] } } (one sample)`,
  );
}

// Each result with its shape and the operation that it comes from.
function resultsOf({ nodes, outputs }: Description) {
  const opOf: string[] = nodes.flatMap(({ op, outputs: count }) => Array.from({ length: count }, () => op));
  return outputs.map(({ name, value, type }) => ({ name, op: opOf[value]!, shape: type.shape }));
}

function parametersOf(model: ModelLike, trace: Trace): readonly Parameter[] {
  const used = new Set(trace.usedParameters());
  if (!(model instanceof Module)) return [...used];
  const parts = ({ parametrization }: Parameter) => Object.values(parametrization?.parts ?? {});
  return model
    .namedWeights()
    .map(({ parameter }) => parameter)
    .filter((parameter) => used.has(parameter) || parts(parameter).some((part) => used.has(part)));
}

function parametersByNode(trace: Trace, { nodes }: Description): readonly (Parameter | undefined)[] {
  // By what they stand for: a description numbers values without the dead nodes of the trace.
  const used = trace.usedParameters();
  return nodes.map(({ variable }) => variable && used.find(({ native }) => call(() => native.is(variable))));
}

// @throws UnsupportedError for a model of which this rank holds a part.
function requireWhole(where: string, model: ModelLike): void {
  if (!(model instanceof Module)) return;
  const part = model.namedParameters().find(({ parameter }) => parameter.parametrization?.part);
  if (!part) return;
  throw new UnsupportedError(
    `${where}: "${part.name}" is this rank's part of a larger tensor, and an artifact holds whole models; save await plan.gather(model)`,
  );
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

function storeInto(tensors: Map<string, StoredTensor<TypedArray>>, trace: Trace): StoredValues {
  const frozen = new Set(
    trace
      .usedParameters()
      .filter(({ trainable }) => !trainable)
      .map(({ name }) => name),
  );
  return {
    tensorOf: (node, index) => collect(tensors, node, index),
    isFrozen: (node) => node.variable !== undefined && frozen.has(node.variable.name),
  };
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
