// The registry of error codes and their classes. The codes mirror `Code` of native/base/error.h (a test compares the two);
// the engine throws { code, message } and `adopt` dresses that in its class, keeping the JavaScript stack.
// Long because every error of the package has its class here.
import { closest, distance } from "fastest-levenshtein";
import { got } from "./names/got.js";
import { kindOfOption } from "./names/kinds.js";
import { nameElsewhere, wayInstead } from "./names/options.js";

/** Base of every error that Athanor throws: `code` names the kind, `message` is a whole sentence with a way out. */
export class AthanorError extends Error {
  /** Machine-readable kind, such as `ERR_ATHANOR_SHAPE`. */
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  override get name(): string {
    return this.constructor.name;
  }
}

/**
 * The code of an error of this package, also of another copy of it: a module that the command line runs may import its own, whose
 * classes are others.
 */
export function codeOf(thrown: unknown): ErrorCode | undefined {
  const code = (thrown as { code?: unknown } | undefined | null)?.code;
  return typeof code === "string" && code.startsWith("ERR_ATHANOR_") ? (code as ErrorCode) : undefined;
}

/** Shapes that do not fit together. */
export class ShapeError extends AthanorError {
  constructor(message: string, options?: ErrorOptions) {
    super("ERR_ATHANOR_SHAPE", message, options);
  }
}

/** An element type that the operation does not take. */
export class DTypeError extends AthanorError {
  constructor(message: string, options?: ErrorOptions) {
    super("ERR_ATHANOR_DTYPE", message, options);
  }
}

/** An argument or option of the wrong kind, name or range. */
export class ArgumentError extends AthanorError {
  constructor(message: string, options?: ErrorOptions) {
    super("ERR_ATHANOR_ARGUMENT", message, options);
  }
}

/** How values by name differ from what a model holds. */
export interface StateDifferences {
  /** Names of the model that have no value. */
  readonly missing: readonly string[];
  /** Names that the model does not have. */
  readonly unexpected: readonly string[];
  /** Values of another shape or element type, such as `{ name: "0.weight", expected: "f32 [4, 2]", got: "f32 [4, 3]" }`. */
  readonly shapes: readonly { readonly name: string; readonly expected: string; readonly got: string }[];
}

/** Values that do not fit a model; `differences` tells how. */
export class StateMismatchError extends ArgumentError {
  readonly differences: StateDifferences;

  constructor(message: string, differences: StateDifferences) {
    super(message);
    this.differences = differences;
  }
}

/** A handle used after `dispose()`. */
export class DisposedError extends AthanorError {
  constructor(message: string, options?: ErrorOptions) {
    super("ERR_ATHANOR_DISPOSED", message, options);
  }
}

/** Work given up because its `AbortSignal` fired; `cause` is the signal's reason. */
export class AbortedError extends AthanorError {
  constructor(message: string, options?: ErrorOptions) {
    super("ERR_ATHANOR_ABORTED", message, options);
  }

  // The name that the platform gives to aborts, so that `error.name === "AbortError"` works as everywhere else.
  override get name(): string {
    return "AbortError";
  }
}

/** A run that a signal (Ctrl-C) ended; what it had reached is in `checkpoint`, where one was asked for. */
export class InterruptedError extends AthanorError {
  /** The signal that came. */
  readonly signal: "SIGINT" | "SIGTERM";
  /** The path of the checkpoint to go on from; undefined if the run kept none. */
  readonly checkpoint: string | undefined;

  constructor(message: string, of: { signal: "SIGINT" | "SIGTERM"; checkpoint: string | undefined }) {
    super("ERR_ATHANOR_INTERRUPTED", message);
    this.signal = of.signal;
    this.checkpoint = of.checkpoint;
  }
}

/** Thrown by `trial.prune()`: ends a trial of a search that is not worth going on; the search goes on. */
export class TrialPrunedError extends AthanorError {
  constructor(message: string, options?: ErrorOptions) {
    super("ERR_ATHANOR_PRUNED", message, options);
  }
}

/** A write for a trial of a search that another worker has taken over, because this one was not heard of for too long. */
export class LeaseLostError extends AthanorError {
  constructor(message: string, options?: ErrorOptions) {
    super("ERR_ATHANOR_LEASE", message, options);
  }
}

/** The storage of a search cannot be reached, is not what it claims, or is of another version. */
export class StorageError extends AthanorError {
  constructor(message: string, options?: ErrorOptions) {
    super("ERR_ATHANOR_STORAGE", message, options);
  }
}

/** A file whose content is not what it claims. */
export class CorruptFileError extends AthanorError {
  constructor(message: string, options?: ErrorOptions) {
    super("ERR_ATHANOR_CORRUPT", message, options);
  }
}

/** The system refused to read or write a file. */
export class FileError extends AthanorError {
  constructor(message: string, options?: ErrorOptions) {
    super("ERR_ATHANOR_IO", message, options);
  }
}

/** Native memory that the system refused. */
export class OutOfMemoryError extends AthanorError {
  constructor(message: string, options?: ErrorOptions) {
    super("ERR_ATHANOR_MEMORY", message, options);
  }
}

/** NaN or infinity where a finite number is needed: in data, a loss or a gradient. */
export class NonFiniteError extends AthanorError {
  constructor(message: string, options?: ErrorOptions) {
    super("ERR_ATHANOR_NONFINITE", message, options);
  }
}

/** Where it began that ranks could not go on. */
export interface CommunicationFault {
  readonly rank: number;
  readonly host: string;
  /** Such as "all-reduce", or the part of the program that failed. */
  readonly operation: string;
  /** Of training; -1 outside of a step. */
  readonly step: number;
}

/** Ranks that work together: one failed, left, hung or could not be reached; every other rank is told and throws this. */
export class CommunicationError extends AthanorError {
  readonly fault: CommunicationFault | undefined;

  constructor(message: string, options?: ErrorOptions & { readonly fault?: CommunicationFault | undefined }) {
    super("ERR_ATHANOR_COMMUNICATION", message, options);
    this.fault = options?.fault;
  }
}

/** Something that this build, machine or version cannot do. */
export class UnsupportedError extends AthanorError {
  constructor(message: string, options?: ErrorOptions, code: ErrorCode = "ERR_ATHANOR_UNSUPPORTED") {
    super(code, message, options);
  }
}

/** An operation that a device cannot run; said when a function is compiled for it. */
export class UnsupportedOpError extends UnsupportedError {
  /** The operation, such as "conv2d". */
  readonly op: string = "";
  /** The element type that it was asked for. */
  readonly dtype: string = "";
  /** The device. */
  readonly device: string = "";

  constructor(message: string, options?: ErrorOptions) {
    super(message, options, "ERR_ATHANOR_UNSUPPORTED_OP");
  }
}

/** A device that is not there, or was lost while it ran. */
export class DeviceError extends AthanorError {
  constructor(message: string, options?: ErrorOptions) {
    super("ERR_ATHANOR_DEVICE", message, options);
  }
}

/** A broken promise inside Athanor: please report it. */
export class InternalError extends AthanorError {
  constructor(message: string, options?: ErrorOptions) {
    super("ERR_ATHANOR_INTERNAL", message, options);
  }
}

/** The addon could not be loaded; the message lists every attempt and what to do. */
export class LoadError extends AthanorError {
  constructor(message: string, options?: ErrorOptions) {
    super("ERR_ATHANOR_LOAD", message, options);
  }
}

/** The codes of C++ with the classes that carry them, and `ERR_ATHANOR_LOAD`; others are never the engine's. */
export const errorClasses = {
  ERR_ATHANOR_SHAPE: ShapeError,
  ERR_ATHANOR_DTYPE: DTypeError,
  ERR_ATHANOR_ARGUMENT: ArgumentError,
  ERR_ATHANOR_DISPOSED: DisposedError,
  ERR_ATHANOR_ABORTED: AbortedError,
  ERR_ATHANOR_CORRUPT: CorruptFileError,
  ERR_ATHANOR_IO: FileError,
  ERR_ATHANOR_MEMORY: OutOfMemoryError,
  ERR_ATHANOR_NONFINITE: NonFiniteError,
  ERR_ATHANOR_COMMUNICATION: CommunicationError,
  ERR_ATHANOR_UNSUPPORTED: UnsupportedError,
  ERR_ATHANOR_UNSUPPORTED_OP: UnsupportedOpError,
  ERR_ATHANOR_DEVICE: DeviceError,
  ERR_ATHANOR_INTERNAL: InternalError,
  ERR_ATHANOR_LOAD: LoadError,
};

/** A code of the registry. */
export type ErrorCode =
  | "ERR_ATHANOR_SHAPE"
  | "ERR_ATHANOR_DTYPE"
  | "ERR_ATHANOR_ARGUMENT"
  | "ERR_ATHANOR_DISPOSED"
  | "ERR_ATHANOR_ABORTED"
  | "ERR_ATHANOR_CORRUPT"
  | "ERR_ATHANOR_IO"
  | "ERR_ATHANOR_MEMORY"
  | "ERR_ATHANOR_NONFINITE"
  | "ERR_ATHANOR_COMMUNICATION"
  | "ERR_ATHANOR_UNSUPPORTED"
  | "ERR_ATHANOR_UNSUPPORTED_OP"
  | "ERR_ATHANOR_DEVICE"
  | "ERR_ATHANOR_INTERNAL"
  | "ERR_ATHANOR_LOAD"
  | "ERR_ATHANOR_INTERRUPTED"
  | "ERR_ATHANOR_PRUNED"
  | "ERR_ATHANOR_LEASE"
  | "ERR_ATHANOR_STORAGE";

const isErrorCode = (code: unknown): code is keyof typeof errorClasses =>
  typeof code === "string" && Object.hasOwn(errorClasses, code);

/**
 * Turns the plain `{ code, message }` error of the addon into its class, with the original stack; anything else comes back
 * as it is. `where`, when given, is put before the message ("linear: …").
 */
export function adopt(thrown: unknown, where?: string): unknown {
  if (!(thrown instanceof Error) || thrown instanceof AthanorError) return thrown;
  const code: unknown = (thrown as { code?: unknown }).code;
  if (!isErrorCode(code)) return thrown;
  const message = where === undefined ? thrown.message : `${where}: ${thrown.message}`;
  const error: AthanorError = new errorClasses[code](message);
  if (error instanceof UnsupportedOpError) {
    const { op, dtype, device } = thrown as unknown as UnsupportedOpError;
    Object.assign(error, { op, dtype, device });
  }
  if (thrown.stack !== undefined) {
    const frames = thrown.stack.slice(thrown.stack.indexOf("\n    at ") + 1);
    Object.defineProperty(error, "stack", {
      value: `${error.name} [${code}]: ${message}\n${frames}`,
      configurable: true,
      writable: true,
    });
  }
  return error;
}

/** The known name that `name` was most likely meant to be, if one is near enough. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  if (known.length === 0) return undefined;
  const lower = name.toLowerCase();
  const byLower = new Map(known.map((candidate) => [candidate.toLowerCase(), candidate]));
  const best = closest(lower, [...byLower.keys()]);
  const close = distance(lower, best) <= Math.max(2, Math.floor(best.length / 3));
  const initials = known.find((candidate) => candidate.length >= 2 && initialsOf(name) === candidate.toLowerCase());
  return initials ?? (close ? byLower.get(best) : undefined);
}

// "learningRate" → "lr", "weight_decay" → "wd": short option names are often asked for by their long form.
function initialsOf(name: string): string {
  const words = name.match(/[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])/g) ?? [];
  return words.map((word) => word.charAt(0).toLowerCase()).join("");
}

/**
 * The error for an option that does not exist, with the one that was meant: by its name in other libraries, or the nearest.
 *
 * @example
 * unknownOption("optim.adamW", "learningRate", ["lr", "weightDecay"]).message;
 * // 'optim.adamW: unknown option "learningRate", did you mean "lr"?'
 */
export function unknownOption(where: string, name: string, known: readonly string[]): ArgumentError {
  const instead = wayInstead(where, name);
  const near = nameElsewhere(name, known) ?? nearestName(name, known);
  const way =
    instead !== undefined
      ? `; ${instead}`
      : near === undefined
        ? `; known: ${known.map((option) => `"${option}"`).join(", ")}`
        : `, did you mean "${near}"?`;
  return new ArgumentError(`${where}: unknown option "${name}"${way}`);
}

/**
 * Checks that `options` is an object that has no own key but those known, and that what its name alone says is of that kind: see
 * names/kinds.ts.
 *
 * @throws ArgumentError
 */
export function checkOptions(where: string, options: object, known: readonly string[]): void {
  if (!isOptions(options)) {
    throw new ArgumentError(`${where}: expected an object of options with ${known.join(", ")}, got ${got(options)}`);
  }
  for (const [name, value] of Object.entries(options)) {
    if (!known.includes(name)) throw unknownOption(where, name, known);
    const kind = value === undefined ? undefined : kindOfOption(name);
    if (kind !== undefined && !kind.has(value)) {
      throw new ArgumentError(`${where}: ${name} must be ${kind.expected}, got ${got(value)}`);
    }
  }
}

// Plain objects, and others that a program keeps its settings in; not what a caller puts in this place by mistake: a list, a
// promise, something with a shape.
function isOptions(options: unknown): boolean {
  if (typeof options !== "object" || options === null || Array.isArray(options)) return false;
  return !ArrayBuffer.isView(options) && !("then" in options) && !("shape" in options && "dtype" in options);
}
