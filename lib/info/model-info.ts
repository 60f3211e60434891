// What is known of a model beside its graph and weights: what a service needs to use it, and a person to trust it. It belongs to the
// model from training on; copies, compression and files carry it.
import { ArgumentError, checkOptions } from "../errors.js";
import { got } from "../names/got.js";
import { addon } from "../native/index.js";
import { checkMetadata } from "./metadata.js";
import { checkPreprocessing, type Preprocessing } from "../preprocess/index.js";

/** What a model's result stands for. */
export interface OutputInfo {
  readonly task?: "classification" | "regression" | undefined;
  /** Names of the classes, in the order of the last dimension of the result. */
  readonly classes?: readonly string[] | undefined;
  /** Whether results are probabilities, or become so by softmax (one class: by the logistic function). */
  readonly scores?: "logits" | "probabilities" | undefined;
}

/** One thing that was done to a model. */
export interface ProvenanceStep {
  /** `"train"`, `"distill"`, `"prune"`, `"quantize"`, … */
  readonly step: string;
  /** With which options, as far as they are plain values, and what came of it. */
  readonly options?: Readonly<Record<string, unknown>>;
  /** The last validation of a training run, by name. */
  readonly metrics?: Readonly<Record<string, number>>;
  /** The version of Athanor that did it. */
  readonly athanor: string;
  /** When it was done, ISO 8601; by SOURCE_DATE_EPOCH, if the environment has that. */
  readonly date: string;
}

/** What is known of a model. */
export interface ModelInfo extends OutputInfo {
  /** For a model with several results, what each stands for, by its name. */
  readonly outputs?: Readonly<Record<string, OutputInfo>>;
  /** How raw inputs become what the model computes with, by the name of the input; `x`, where there is one alone. */
  readonly preprocessing?: Readonly<Record<string, Preprocessing>>;
  /** Metrics of the model as it is now, such as `{ accuracy: 0.98 }`; compression takes them away. */
  readonly metrics?: Readonly<Record<string, number>>;
  /** What was done to it, in order. */
  readonly provenance?: readonly ProvenanceStep[];
  /** Any other text to keep with the model. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** What can be set; `preprocessing` may be the rule itself where the model has one input. */
export interface InfoOptions extends OutputInfo {
  readonly outputs?: ModelInfo["outputs"] | undefined;
  readonly preprocessing?: Preprocessing | Readonly<Record<string, Preprocessing>> | undefined;
  readonly metrics?: ModelInfo["metrics"] | undefined;
  readonly metadata?: ModelInfo["metadata"] | undefined;
}

const infos = new WeakMap<object, ModelInfo>();
const nothing: ModelInfo = Object.freeze({});

/** What is known of a model; an empty record, if nothing. */
export const infoOf = (model: object): ModelInfo => infos.get(model) ?? nothing;

/** @internal Puts back or hands over what is known. */
export function replaceInfo(model: object, info: ModelInfo): void {
  infos.set(model, info);
}

/** Adds to what is known; what is undefined stays as it is. @throws ArgumentError saying what is wrong */
export function addInfo(where: string, model: object, options: InfoOptions): void {
  infos.set(model, mergedInfo(where, infoOf(model), options));
}

/** What is known with something added; what is undefined stays as it is. @throws ArgumentError saying what is wrong */
export function mergedInfo(where: string, info: ModelInfo, options: InfoOptions): ModelInfo {
  const given = Object.entries(checkedInfo(where, options)).filter(([, value]) => value !== undefined);
  return Object.freeze({ ...info, ...(Object.fromEntries(given) as ModelInfo) });
}

/** Notes that something was done to a model. Metrics of before hold no more, unless the step brings its own. */
export function recordStep(
  model: object,
  step: string,
  options: Readonly<Record<string, unknown>>,
  metrics?: Readonly<Record<string, number>>,
): void {
  const { metrics: _before, provenance = [], ...kept } = infoOf(model);
  const held = metrics && Object.keys(metrics).length > 0 ? { metrics } : {};
  const record = { step, options: plainOptions(options), ...held, athanor: addon.version, date: dateOfNow() };
  infos.set(model, Object.freeze({ ...kept, ...held, provenance: [...provenance, record] }));
}

function dateOfNow(): string {
  const epoch = Number(process.env.SOURCE_DATE_EPOCH);
  const fixed = process.env.SOURCE_DATE_EPOCH !== undefined && Number.isSafeInteger(epoch);
  return (fixed ? new Date(epoch * 1e3) : new Date()).toISOString();
}

/** What of options can be written down: plain values, and the names of things that have one. */
function plainOptions(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const plain = (value: unknown): unknown => {
    if (value === null || typeof value === "string" || typeof value === "boolean") return value;
    if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
    if (Array.isArray(value)) return value.length > 100 ? undefined : value.map((item) => plain(item) ?? null);
    if (typeof value === "object" && Object.getPrototypeOf(value) === Object.prototype)
      return plainOptions(value as Record<string, unknown>);
    const { name } = (value ?? {}) as { name?: unknown };
    return typeof name === "string" && name !== "" && typeof value === "object" ? name : undefined;
  };
  const entries = Object.entries(options).map(([name, value]) => [name, plain(value)] as const);
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}

/** What is known of one result. @throws ArgumentError for a name that is none */
export function outputInfo(where: string, info: ModelInfo, name: string, known: readonly string[]): OutputInfo {
  if (!known.includes(name)) {
    throw new ArgumentError(
      `${where}: there is no output "${name}"; outputs: ${known.map((one) => `"${one}"`).join(", ")}`,
    );
  }
  const { task, classes, scores } = info;
  return info.outputs?.[name] ?? (known.length === 1 ? { task, classes, scores } : {});
}

const outputFields = ["task", "classes", "scores"];

/** Checks what is to be known of a model, and gives it in one form. @throws ArgumentError saying what is wrong */
export function checkedInfo(where: string, options: InfoOptions): ModelInfo {
  if (!isObject(options))
    throw new ArgumentError(`${where}: expected an object such as { classes: ["no", "yes"] }, got ${got(options)}`);
  checkOptions(where, options, [...outputFields, "outputs", "preprocessing", "metrics", "metadata"]);
  const { outputs, preprocessing, metrics, metadata, ...output } = options;
  checkOutput(where, output);
  if (outputs !== undefined && !isObject(outputs)) throw new ArgumentError(`${where}: outputs must be records by name`);
  for (const [name, value] of Object.entries(outputs ?? {})) {
    if (!isObject(value)) throw new ArgumentError(`${where}: outputs.${name} must be an object`);
    checkOptions(`${where}: outputs.${name}`, value, outputFields);
    checkOutput(`${where}: outputs.${name}`, value);
  }
  if (metadata !== undefined) checkMetadata(where, metadata);
  checkMetrics(where, metrics);
  return {
    ...output,
    ...(outputs && { outputs }),
    ...(preprocessing && { preprocessing: byInput(where, preprocessing) }),
    ...(metrics && { metrics }),
    ...(metadata && { metadata }),
  };
}

function byInput(where: string, given: NonNullable<InfoOptions["preprocessing"]>): Record<string, Preprocessing> {
  const single = isObject(given) && typeof given.kind === "string";
  const rules = single ? { x: given } : (given as Record<string, Preprocessing>);
  if (!isObject(rules))
    throw new ArgumentError(`${where}: preprocessing must be a rule, or rules by the names of inputs`);
  for (const [name, rule] of Object.entries(rules)) checkPreprocessing(`${where}: preprocessing of "${name}"`, rule);
  return rules;
}

function checkOutput(where: string, { task, classes, scores }: OutputInfo): void {
  if (task !== undefined && task !== "classification" && task !== "regression") {
    throw new ArgumentError(`${where}: task must be "classification" or "regression", got ${got(task)}`);
  }
  if (scores !== undefined && scores !== "logits" && scores !== "probabilities") {
    throw new ArgumentError(`${where}: scores must be "logits" or "probabilities", got ${got(scores)}`);
  }
  if (classes === undefined) return;
  const names = Array.isArray(classes) && classes.length > 0 && classes.every((name) => typeof name === "string");
  if (!names) {
    throw new ArgumentError(`${where}: classes must be a list of names, such as ["no", "yes"], got ${got(classes)}`);
  }
  const twice = classes.find((name, i) => classes.indexOf(name) !== i);
  if (twice !== undefined) throw new ArgumentError(`${where}: classes has ${JSON.stringify(twice)} twice`);
  if (task === "regression") throw new ArgumentError(`${where}: a model with classes has the task "classification"`);
}

function checkMetrics(where: string, metrics: unknown): void {
  if (metrics === undefined) return;
  if (!isRecord(metrics)) {
    throw new ArgumentError(`${where}: metrics must be finite numbers by name, got ${got(metrics)}`);
  }
  const wrong = Object.entries(metrics).find(([, value]) => !Number.isFinite(value));
  if (!wrong) return;
  throw new ArgumentError(`${where}: metrics.${wrong[0]} must be a finite number, got ${got(wrong[1])}`);
}

const isObject = (value: unknown): boolean => typeof value === "object" && value !== null && !Array.isArray(value);
const isRecord = (value: unknown): value is Record<string, unknown> => isObject(value);

/** What was read from a file, checked. @throws ArgumentError saying what is wrong */
export function parseInfo(where: string, value: unknown): ModelInfo {
  if (!isRecord(value)) throw new ArgumentError(`${where}: it is not an object`);
  const { provenance, ...rest } = value;
  const info = checkedInfo(where, rest);
  if (provenance === undefined) return Object.freeze(info);
  const isStep = (step: unknown) =>
    isRecord(step) &&
    typeof step.step === "string" &&
    typeof step.athanor === "string" &&
    typeof step.date === "string" &&
    (step.options === undefined || isRecord(step.options)) &&
    (step.metrics === undefined || (isRecord(step.metrics) && Object.values(step.metrics).every(Number.isFinite)));
  if (!Array.isArray(provenance) || !provenance.every(isStep)) {
    throw new ArgumentError(`${where}: its provenance is not a list of steps`);
  }
  return Object.freeze({ ...info, provenance: provenance as ProvenanceStep[] });
}
