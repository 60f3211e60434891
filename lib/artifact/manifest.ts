// graph.json: what an artifact computes. Reading it trusts nothing; what it names is checked again by the engine's own shape
// rules when the graph is built.
import { CorruptFileError } from "../errors.js";
import { parseInfo, type ModelInfo } from "../info/index.js";
import { operations } from "../native/operations.js";
import { dtypes, type DType } from "../tensor/dtype.js";
import type { SavedAttr, SavedMask, SavedNode, Size, Special } from "./symbolic.js";

/** The version of the format that this build writes. */
export const formatVersion = 2;

/** One parameter, for people and tables; nothing is computed from it. */
export interface SavedWeight {
  readonly name: string;
  readonly shape: readonly number[];
  /** Its element type, or the kind of its parametrization: "f32", "int8", "sparse". */
  readonly kind: string;
  /** Elements that are not zero. */
  readonly nonzero: number;
}

/** One sample of an input: element type and shape without the batch dimension. */
export interface SavedInput {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** The graph of a model in training. */
export interface SavedTraining {
  readonly nodes: readonly SavedNode[];
  readonly outputs: readonly { readonly name: string; readonly value: number }[];
  /** Parameters, by their tensors, that take a value of the graph after every step. */
  readonly updates: readonly { readonly tensor: string; readonly value: number }[];
}

/** Why there is none, although the model differs in training. */
export interface NoTraining {
  readonly missing: string;
}

/** The content of graph.json. */
export interface Manifest {
  readonly format: "athanor";
  readonly version: number;
  /** In the order of the graph's input nodes, which is that of the model's arguments. */
  readonly inputs: readonly SavedInput[];
  readonly outputs: readonly { readonly name: string; readonly value: number }[];
  readonly nodes: readonly SavedNode[];
  /** What it computes in training, where that is something else. */
  readonly training?: SavedTraining | NoTraining;
  /** The parameters as the model's layers see them, whatever parametrization they are held in. */
  readonly weights?: readonly SavedWeight[];
  /** What is known of the model beside its graph and weights. */
  readonly info: ModelInfo;
}

const maxNodes = 1_000_000;

/**
 * Checks the parsed JSON of a graph of a known version.
 *
 * @throws CorruptFileError saying what is wrong where.
 */
export function parseManifest(where: string, file: string, json: unknown): Manifest {
  const damaged = (what: string): never => {
    throw new CorruptFileError(`${where}: "${file}" is damaged: ${what}`);
  };
  if (!isRecord(json)) return damaged("it is not an object");
  const { inputs, info } = json.inputs === undefined ? fromFirstVersion(json) : json;
  if (!Array.isArray(inputs) || inputs.length === 0 || !inputs.every(isInput))
    return damaged("its inputs have no type");
  if (new Set(inputs.map(({ name }) => name)).size !== inputs.length) return damaged("two of its inputs have one name");
  const nodes = json.nodes;
  if (!Array.isArray(nodes) || nodes.length === 0 || nodes.length > maxNodes) return damaged("it lists no nodes");
  nodes.forEach((node: unknown, i) => checkNode(node, i, damaged));
  if (nodes.filter((node: SavedNode) => node.op === "input").length !== inputs.length)
    return damaged("its graph has not the inputs that it lists");
  checkTraining(json.training, inputs.length, damaged);
  const outputs = json.outputs;
  const isOutput = (output: unknown) => isRecord(output) && typeof output.name === "string" && isCount(output.value);
  if (!Array.isArray(outputs) || outputs.length === 0 || !outputs.every(isOutput))
    return damaged("it lists no outputs");
  const weights = json.weights ?? [];
  if (!Array.isArray(weights) || !weights.every(isWeight)) return damaged("its list of weights is none");
  return { ...(json as unknown as Manifest), inputs, info: knownOf(info, damaged) };
}

function knownOf(info: unknown, damaged: (what: string) => never): ModelInfo {
  try {
    return parseInfo("info", info ?? {});
  } catch (thrown) {
    return damaged((thrown as Error).message);
  }
}

// Version 1 had one input without a name, and of the information the text alone.
function fromFirstVersion(json: Record<string, unknown>): Record<string, unknown> {
  const input = isRecord(json.input) ? [{ ...json.input, name: "x" }] : [];
  // It divided all bytes by 255, and had that in its graph.
  const pixels = input[0]?.name === "x" && isRecord(json.input) && json.input.dtype === "u8";
  const preprocessing = pixels ? { x: { kind: "normalize", divide: 255 } } : undefined;
  return { inputs: input, info: { metadata: json.metadata, preprocessing } };
}

const forbidden = new Set(
  Object.entries(operations)
    .filter(([, row]) => (row.traits as readonly string[]).includes("effect"))
    .map(([name]) => name),
);

function checkTraining(training: unknown, inputs: number, damaged: (what: string) => never): void {
  if (training === undefined) return;
  const wrong = (what: string) => damaged(`its graph in training ${what}`);
  if (!isRecord(training)) return wrong("is not an object");
  if (typeof training.missing === "string") return;
  const { nodes, outputs, updates } = training;
  if (!Array.isArray(nodes) || nodes.length === 0 || nodes.length > maxNodes) return wrong("lists no nodes");
  nodes.forEach((node: unknown, i) => checkNode(node, i, wrong));
  if (nodes.filter((node: SavedNode) => node.op === "input").length !== inputs) return wrong("has other inputs");
  const named = (kind: "name" | "tensor") => (entry: unknown) =>
    isRecord(entry) && typeof entry[kind] === "string" && isCount(entry.value);
  if (!Array.isArray(outputs) || outputs.length === 0 || !outputs.every(named("name")))
    return wrong("lists no outputs");
  if (!Array.isArray(updates) || !updates.every(named("tensor"))) return wrong("has updates that are none");
  const held = new Set(nodes.map((node: SavedNode) => (node.op === "parameter" ? node.tensor : undefined)));
  if (!updates.every(({ tensor }: { tensor: string }) => held.has(tensor))) wrong("updates what it does not hold");
}

function checkNode(node: unknown, index: number, damaged: (what: string) => never): void {
  const wrong = (what: string) => damaged(`node ${index} ${what}`);
  if (!isRecord(node) || typeof node.op !== "string") return wrong("has no operation");
  if (!Object.hasOwn(operations, node.op) || node.op === "fused" || forbidden.has(node.op)) {
    return wrong(`has the operation "${node.op}", which an artifact cannot hold`);
  }
  const { inputs = [], attrs = {}, scope = "", type, tensor, value, mask, frozen = true } = node;
  const stored = node.op === "parameter" || node.op === "constant";
  if (stored && tensor === undefined && (value === undefined || node.op === "parameter")) return wrong("has no value");
  if (value !== undefined && !(isSize(value) && isRecord(type))) return wrong("has a value that is no number");
  if (!Array.isArray(inputs) || !inputs.every(isCount)) return wrong("has inputs that are no values");
  if (!isRecord(attrs) || !Object.values(attrs).every(isAttr)) return wrong("has attributes of a strange kind");
  if (mask !== undefined && !(node.op === "parameter" && value === undefined && isMask(mask)))
    return wrong("has a mask that is none");
  if (frozen !== true) return wrong('says "frozen" with anything but true');
  if (typeof scope !== "string") return wrong("has a scope that is no text");
  if (type !== undefined && !(isRecord(type) && isDType(type.dtype) && isSizes(type.shape)))
    return wrong("has no good type");
  if (tensor !== undefined && typeof tensor !== "string") return wrong("names its tensor with no text");
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isDType = (value: unknown): value is DType => (dtypes as readonly unknown[]).includes(value);
const isShape = (value: unknown): value is number[] =>
  Array.isArray(value) && value.length <= 8 && value.every(isCount);
const isInput = (value: unknown): value is SavedInput =>
  isRecord(value) && typeof value.name === "string" && isDType(value.dtype) && isShape(value.shape);
const isWeight = (value: unknown): value is SavedWeight =>
  isRecord(value) &&
  typeof value.name === "string" &&
  typeof value.kind === "string" &&
  isShape(value.shape) &&
  isCount(value.nonzero);
const isMask = (value: unknown): value is SavedMask =>
  isRecord(value) && typeof value.tensor === "string" && isCount(value.kept);
const isSize = (value: unknown): value is Size =>
  typeof value === "number" ||
  (isRecord(value) && Array.isArray(value.b) && value.b.length === 2 && value.b.every(Number.isSafeInteger));
const isSpecial = (value: unknown): value is Special =>
  isRecord(value) && ["NaN", "Infinity", "-Infinity", "-0"].includes(value.special as string);
const isSizes = (value: unknown): value is Size[] => Array.isArray(value) && value.length <= 64 && value.every(isSize);
const isAttr = (value: unknown): value is SavedAttr =>
  typeof value === "boolean" || typeof value === "string" || isSize(value) || isSpecial(value) || isSizes(value);
