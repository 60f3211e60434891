// Loading: the folder becomes a model that predicts, with nothing of the code that built it.
import { deviceName, type DeviceName } from "../device/index.js";
import { ArgumentError, checkOptions, CorruptFileError } from "../errors.js";
import { unawaited } from "../guidance/unawaited.js";
import { addon, call, type NativeProgram, type NativeVariable, type StoredTensor } from "../native/index.js";
import type { ForwardResult } from "../nn/index.js";
import type { DType } from "../tensor/dtype.js";
import { NdArray } from "../tensor/nd-array.js";
import { viewOf } from "../tensor/parameter.js";
import { appendOperation } from "../tensor/replay.js";
import type { Tensor } from "../tensor/tensor.js";
import { requireFitting } from "./fitting.js";
import { readFolder } from "./folder.js";
import type { Manifest } from "./manifest.js";
import { unpackedMask } from "./masks.js";
import { PackedParts } from "./packed-parts.js";
import { allNodes } from "./training.js";
import { checkLoadOptions, type BuildProgram, type LoadOptions } from "./batches.js";
import { LoadedModel, type Results } from "./loaded-model.js";
import { SavedModel } from "./model.js";
import { play, type PlayTarget } from "./player.js";

/**
 * Loads a saved model. Weights are read off the event loop and kept once, whatever batch sizes it is run with. Of a model with
 * several results say their names: `artifact.load<{ plan: NdArray; price: NdArray }>(path)`.
 *
 * @throws FileError if there is no such folder; CorruptFileError naming the file and what is wrong with it; ArgumentError for
 *   options, and for a model whose results cannot be padded; DeviceError where the device is not there, UnsupportedOpError where it
 *   cannot run the model.
 * @example
 * const served = await artifact.load("out/digits", { padBatches: true }); // for a service
 * const scores = await served.predict(array(image, [1, 28, 28]));
 * served.dispose(); // or, in TypeScript and from Node 24 on: using served = …
 */
export function load<Result extends Results = NdArray>(
  path: string | URL,
  options: LoadOptions = {},
): Promise<LoadedModel<Result>> {
  return unawaited("artifact.load", loadedNames, loadForUse<Result>(path, options));
}

const loadedNames = [
  "predict",
  "predictSync",
  "classify",
  "info",
  "input",
  "metadata",
  "weights",
  "layout",
  "parameters",
  "dispose",
  Symbol.dispose,
];

async function loadForUse<Result extends Results>(
  path: string | URL,
  options: LoadOptions,
): Promise<LoadedModel<Result>> {
  const where = "artifact.load";
  checkOptions(where, options, ["maxPrograms", "padBatches", "device"]);
  checkLoadOptions(where, options);
  const device = deviceName(where, options.device);
  const { manifest, variables, build, bytes, first } = await open(where, path, device);
  return new LoadedModel<Result>(manifest, variables, build, first, { ...options, where, bytes });
}

/**
 * Loads a saved model as one that can be trained on, pruned and quantized: its layers are those of its graph, its parameters have
 * the names they were saved with, and masks still hold. It trains on as the saved one would: dropout drops, batch norms take the
 * statistics of the batch and go on with the running ones. Where that could not be saved, a warning says why. Artifacts of version 1
 * do not have it: they train as they predict.
 *
 * @throws FileError if there is no such folder; CorruptFileError naming the file and what is wrong with it.
 * @example
 * const model = await artifact.loadModel("out/digits");
 * model.namedParameters().map(({ name }) => name); // ["0.weight", "0.bias", …]
 */
export function loadModel<Result extends ForwardResult = Tensor>(path: string | URL): Promise<SavedModel<Result>> {
  return unawaited("artifact.loadModel", modelNames, loadTrainable<Result>(path));
}

const modelNames = [
  "forward",
  "parameters",
  "namedParameters",
  "freeze",
  "unfreeze",
  "clone",
  "dispose",
  Symbol.dispose,
];

async function loadTrainable<Result extends ForwardResult>(path: string | URL): Promise<SavedModel<Result>> {
  const { graphFile, manifest, variables, masks, first } = await open("artifact.loadModel", path);
  first.dispose();
  requireTraining("artifact.loadModel", graphFile, manifest, variables);
  return new SavedModel<Result>(manifest, variables, masks, graphFile);
}

// What is claimed of training has to stand the engine's rules now, too; a batch of 2 has a variance.
function requireTraining(
  where: string,
  graphFile: string,
  { training, inputs }: Manifest,
  variables: ReadonlyMap<string, NativeVariable>,
): void {
  if (training === undefined) return;
  if ("missing" in training) {
    process.emitWarning(
      `${where}: "${graphFile}": what the model does in training alone was not saved (${training.missing}); it trains as it predicts: without dropout, with fixed statistics`,
      "AthanorWarning",
    );
    return;
  }
  const { nodes, outputs, updates } = training;
  const results = updates.map(({ tensor, value }) => ({ name: tensor, value }));
  const program = buildProgram(where, graphFile, { inputs, nodes, outputs: [...outputs, ...results] }, variables, 2);
  const types = program.outputs.slice(outputs.length);
  program.dispose();
  const wrong = types.find(({ dtype, shape }, i) => {
    const held = variables.get(updates[i]!.tensor)!.type;
    return dtype !== held.dtype || shape.join() !== held.shape.join();
  });
  if (wrong) {
    throw new CorruptFileError(
      `${where}: "${graphFile}" is damaged: "${wrong.name}" is updated by a value of another type`,
    );
  }
}

function requireKnown(where: string, graphFile: string, { info, inputs }: Manifest, program: NativeProgram): void {
  try {
    requireFitting("info", info, inputs, program.outputs);
  } catch (thrown) {
    program.dispose();
    throw new CorruptFileError(`${where}: "${graphFile}" is damaged: ${(thrown as Error).message}`, { cause: thrown });
  }
}

async function open(where: string, path: string | URL, device?: DeviceName) {
  const { graphFile, weightsFile, manifest, tensors, bytes } = await readFolder(where, path);
  const variables = makeVariables(where, weightsFile, graphFile, manifest, tensors);
  const masks = await readMasks(where, weightsFile, manifest, tensors);
  const build: BuildProgram = (batch) => buildProgram(where, graphFile, manifest, variables, batch, device);
  // Whatever the manifest claims has to stand the engine's own rules, now rather than at the first prediction.
  const parts = new PackedParts();
  const first = buildProgram(where, graphFile, manifest, variables, 1, device, parts);
  requireKnown(where, graphFile, manifest, first);
  try {
    parts.check(where, weightsFile, tensors);
  } catch (thrown) {
    first.dispose();
    throw thrown;
  }
  return { graphFile, manifest, variables, masks, build, bytes, first };
}

function makeVariables(
  where: string,
  weightsFile: string,
  graphFile: string,
  manifest: Manifest,
  stored: ReadonlyMap<string, StoredTensor<ArrayBuffer>>,
): Map<string, NativeVariable> {
  const variables = new Map<string, NativeVariable>();
  for (const node of allNodes(manifest)) {
    if (variables.has(node.tensor ?? "")) continue;
    if ((node.op !== "parameter" && node.op !== "constant") || node.value !== undefined) continue;
    const tensor = stored.get(node.tensor ?? "");
    if (!tensor) {
      throw new CorruptFileError(
        `${where}: "${weightsFile}" is damaged: tensor "${node.tensor ?? ""}", which "${graphFile}" needs, is missing`,
      );
    }
    const shape = node.type?.shape ?? [];
    const same = tensor.dtype === node.type?.dtype && JSON.stringify(tensor.shape) === JSON.stringify(shape);
    if (!same) {
      throw new CorruptFileError(
        `${where}: "${weightsFile}" is damaged: tensor "${tensor.name}" is ${tensor.dtype} [${tensor.shape.join(", ")}], "${graphFile}" expects ${node.type?.dtype} ${JSON.stringify(shape)}`,
      );
    }
    const variable = call(() => new addon.Variable(tensor.dtype as DType, tensor.shape, tensor.name));
    call(() => variable.write(viewOf(tensor.dtype as DType, tensor.data)));
    variables.set(tensor.name, variable);
  }
  return variables;
}

/** Masks, one byte an element, by the names of the tensors that they belong to. */
async function readMasks(
  where: string,
  weightsFile: string,
  { nodes }: Manifest,
  stored: ReadonlyMap<string, StoredTensor<ArrayBuffer>>,
): Promise<Map<string, Uint8Array>> {
  const damaged = (what: string) => new CorruptFileError(`${where}: "${weightsFile}" is damaged: ${what}`);
  const masks = new Map<string, Uint8Array>();
  for (const { tensor, mask } of nodes) {
    if (tensor === undefined || !mask) continue;
    const { dtype, shape, data } = stored.get(tensor)!;
    if (dtype !== "f32") throw damaged(`tensor "${tensor}" is ${dtype} and has a mask, which is for f32`);
    const values = new NdArray(viewOf(dtype, data), shape, dtype);
    masks.set(tensor, await unpackedMask(mask, stored.get(mask.tensor), values, damaged));
  }
  return masks;
}

function buildProgram(
  where: string,
  graphFile: string,
  manifest: Pick<Manifest, "inputs" | "nodes" | "outputs">,
  variables: ReadonlyMap<string, NativeVariable>,
  batch: number,
  device?: DeviceName,
  parts?: PackedParts,
): ReturnType<BuildProgram> {
  const graph = new addon.Graph();
  const damaged = (what: string, cause?: unknown): never => {
    throw new CorruptFileError(`${where}: "${graphFile}" is damaged: ${what}`, { cause });
  };
  let taken = 0;
  const target: PlayTarget<number> = {
    input() {
      const { name, dtype, shape } = manifest.inputs[taken++]!;
      return graph.input(name, dtype, [batch, ...shape]);
    },
    scalar: (value, dtype) => graph.scalar(value, dtype),
    stored(node) {
      const variable = variables.get(node.tensor ?? "")!;
      if (node.op === "parameter") return graph.parameter(variable);
      const { dtype, shape } = variable.type;
      return graph.constant(dtype, shape, viewOf(dtype, variable.read()));
    },
    apply: ({ op }, inputs, attrs) => appendOperation(graph, op, inputs, attrs),
    around(node, index, make, inputs) {
      graph.setScope(node.scope ?? "");
      try {
        const made = make();
        parts?.note(node, inputs, made);
        return made;
      } catch (thrown) {
        throw new ArgumentError(`node ${index} (${node.op}): ${(thrown as Error).message}`, { cause: thrown });
      }
    },
  };
  const values = played(() => play(manifest.nodes, batch, target), damaged);
  const outputs = manifest.outputs.map(({ value }) => values[value] ?? damaged("an output is no value of the graph"));
  call(() =>
    graph.setOutputs(
      manifest.outputs.map(({ name }) => name),
      outputs,
    ),
  );
  const program = call(() => graph.compile({ device }));
  graph.dispose();
  return program;
}

// What a node of a file throws is damage to the file.
function played(body: () => number[], damaged: (what: string, cause: unknown) => never): number[] {
  try {
    return body();
  } catch (thrown) {
    return damaged((thrown as Error).message, (thrown as Error).cause ?? thrown);
  }
}
