// Schemes: how a weight's values are held in few bits, what shares a scale, and whether the layer's inputs are integers too. Plain
// objects; everything that acts on them is elsewhere.
// Long because each maker stands beside its options and its example.
import { requireOneOf, requireCount } from "../guidance/arguments.js";
import { ArgumentError, checkOptions } from "../errors.js";
import { got } from "../names/got.js";
import { formats, type FormatName, type NumberFormat } from "../native/formats.js";
import { additivePowers, floatLimit, floatTable, normalFloat4, type Float8, type SmallFloat } from "./tables.js";

/** What shares a scale: the whole weight, every output channel, or so many inputs in a row of one output channel. */
export type Granularity = "tensor" | "channel" | number;

/** What a layer multiplies its weights with: floats, integers scaled row by row as they come, or by a scale from calibration. */
export type Activations = "float" | "dynamic" | "static";

/** The values that codes stand for, in units of the scale. */
export type Grid =
  /** Whole numbers from low to high; without `symmetric` an integer of its own stands for 0. */
  | { readonly kind: "uniform"; readonly low: number; readonly high: number; readonly symmetric: boolean }
  /** The entries of a fixed table, ascending; `limit` is the entry that the largest weight becomes. */
  | {
      readonly kind: "table";
      readonly table: readonly number[];
      readonly exact?: readonly number[]; // where the table was rounded for products of integers
      readonly limit: number;
      readonly float?: SmallFloat; // codes are the bits of floats, not numbers of entries
    }
  /** The entries of a table that is found for each weight. */
  | { readonly kind: "learned"; readonly entries: number };

/** How a weight is quantized; made by `quantize.int8` and its siblings. */
export interface Scheme {
  /** As in the call that makes it, such as `int4`. */
  readonly name: string;
  /** How the codes are stored in memory and on disk, a row of the engine's formats. */
  readonly format: FormatName;
  /** Bits that a weight takes in memory and on disk: 2, 4, 5 or 8. */
  readonly storage: number;
  readonly grid: Grid;
  readonly per: Granularity;
  readonly activations: Activations;
}

/** Options of {@link int8}. */
export interface Int8Options {
  /** Default "float". */
  readonly activations?: Activations | undefined;
  /** Default "channel". */
  readonly per?: Granularity | undefined;
  /** Integers from -127 to 127 around 0; otherwise from 0 to 255 with a zero point. Default true. */
  readonly symmetric?: boolean | undefined;
}

/** Options of {@link int4} and {@link nf4}. */
export interface GroupOptions {
  /** Inputs that share a scale; the last group of a row may be shorter. Default 32 (`int4`) or 64 (`nf4`). */
  readonly group?: number | undefined;
  /** Default "float". */
  readonly activations?: Activations | undefined;
}

/** Options of {@link int4}. */
export interface Int4Options extends GroupOptions {
  /** Integers from -8 to 7; otherwise from 0 to 15 with a zero point. Default true. */
  readonly symmetric?: boolean | undefined;
}

const activationKinds = ["float", "dynamic", "static"] as const;

function checkPer(where: string, per: unknown): Granularity {
  if (per === "tensor" || per === "channel") return per;
  if (Number.isSafeInteger(per) && (per as number) >= 8 && (per as number) % 8 === 0) return per as number;
  throw new ArgumentError(
    `${where}: a scale is shared per "tensor", "channel" or group of 8, 16, 24, … inputs, got ${got(per)}`,
  );
}

function checkActivations(where: string, activations: unknown): Activations {
  requireOneOf(where, "activations", activations, activationKinds);
  return activations as Activations;
}

/** The narrowest format of the engine that holds codes of so many bits. */
function formatFor(bits: number, kind: NumberFormat["kind"]): Pick<Scheme, "format" | "storage"> {
  const fitting = (Object.entries(formats) as [FormatName, NumberFormat][]).filter(
    ([, row]) => row.kind === kind && row.block === 0 && row.bits >= bits,
  );
  const [format, { bits: storage }] = fitting.reduce((best, next) => (next[1].bits < best[1].bits ? next : best));
  return { format, storage };
}

const integersOf = (bits: number, symmetric: boolean) => ({
  ...formatFor(bits, symmetric ? "symmetric" : "affine"),
  grid: uniform(bits, symmetric),
});

function uniform(bits: number, symmetric: boolean): Grid {
  if (!symmetric) return { kind: "uniform", low: 0, high: 2 ** bits - 1, symmetric };
  // ±127: the products of two bytes then fit the kernels' 16-bit sums, and no value lacks its negative.
  return { kind: "uniform", low: bits === 8 ? -127 : -(2 ** (bits - 1)), high: 2 ** (bits - 1) - 1, symmetric };
}

/**
 * 8-bit integers. With `activations` "dynamic" or "static" whole products are taken in integers.
 *
 * @throws ArgumentError
 * @example
 * const scheme = quantize.int8({ activations: "dynamic" });
 * scheme.per; // "channel"
 */
export function int8(options: Int8Options = {}): Scheme {
  const where = "quantize.int8";
  checkOptions(where, options, ["activations", "per", "symmetric"]);
  const { activations = "float", per = "channel", symmetric = true } = options;
  return {
    name: "int8",
    ...integersOf(8, symmetric),
    per: checkPer(where, per),
    activations: checkActivations(where, activations),
  };
}

/**
 * 4-bit integers with a bf16 scale for every `group` of inputs.
 *
 * @throws ArgumentError
 * @example
 * quantize.int4({ group: 128, symmetric: false }).storage; // 4
 */
export function int4(options: Int4Options = {}): Scheme {
  const where = "quantize.int4";
  checkOptions(where, options, ["group", "activations", "symmetric"]);
  const { group = 32, activations = "float", symmetric = true } = options;
  return {
    name: "int4",
    ...integersOf(4, symmetric),
    per: checkPer(where, group),
    activations: checkActivations(where, activations),
  };
}

/** Options of {@link intN}. */
export interface IntNOptions {
  /** Default "channel". */
  readonly per?: Granularity | undefined;
  /** Whole numbers around 0; otherwise from 0 on with a zero point. Default true. */
  readonly symmetric?: boolean | undefined;
  /** Default "float". */
  readonly activations?: Activations | undefined;
}

/**
 * Integers of 2 to 8 bits, held in 2, 4, 5 or 8.
 *
 * @throws ArgumentError
 * @example
 * quantize.intN(5, { per: 32 }).storage; // 5
 */
export function intN(bits: number, options: IntNOptions = {}): Scheme {
  const where = "quantize.intN";
  checkOptions(where, options, ["per", "symmetric", "activations"]);
  const { per = "channel", symmetric = true, activations = "float" } = options;
  return {
    name: `int${requireCount(where, "bits", bits, 2, 8)}`,
    ...integersOf(bits, symmetric),
    per: checkPer(where, per),
    activations: checkActivations(where, activations),
  };
}

/**
 * 4-bit NormalFloat: 16 values at the quantiles of a normal distribution, scaled by the largest of every group (Dettmers et al.
 * 2023).
 *
 * @throws ArgumentError
 * @example
 * quantize.nf4({ group: 64 }).grid.kind; // "table"
 */
export function nf4(options: GroupOptions = {}): Scheme {
  const where = "quantize.nf4";
  checkOptions(where, options, ["group", "activations"]);
  const { group = 64, activations = "float" } = options;
  return table("nf4", normalFloat4, 1, checkPer(where, group), checkActivations(where, activations));
}

/** Options of {@link kmeans}. */
export interface KmeansOptions {
  /** Values that a weight can take, one of them 0; from 2 to 256. Default 16. */
  readonly entries?: number | undefined;
  /** What shares a scale; the table is one for the whole weight. Default "tensor". */
  readonly per?: Granularity | undefined;
}

/**
 * A table of values found for each weight by k-means (Han et al. 2016).
 *
 * @throws ArgumentError
 * @example
 * quantize.kmeans({ entries: 256 }).storage; // 8
 */
export function kmeans(options: KmeansOptions = {}): Scheme {
  const where = "quantize.kmeans";
  checkOptions(where, options, ["entries", "per"]);
  const { entries = 16, per = "tensor" } = options;
  requireCount(where, "entries", entries, 2, 256);
  return {
    name: "kmeans",
    ...formatFor(Math.ceil(Math.log2(entries)), "codebook"),
    grid: { kind: "learned", entries },
    per: checkPer(where, per),
    activations: "float",
  };
}

/** Options of {@link apot}. */
export interface ApotOptions {
  /** From 2 to 8. Default 4. */
  readonly bits?: number | undefined;
  /** Default "channel". */
  readonly per?: Granularity | undefined;
  /** Default "float". */
  readonly activations?: Activations | undefined;
}

/**
 * Additive powers of two: sums of few powers of two, dense around 0 and wide at the ends (Li et al. 2020).
 *
 * @throws ArgumentError
 * @example
 * quantize.apot({ bits: 4 }).name; // "apot"
 */
export function apot(options: ApotOptions = {}): Scheme {
  const where = "quantize.apot";
  checkOptions(where, options, ["bits", "per", "activations"]);
  const { bits = 4, per = "channel", activations = "float" } = options;
  const values = additivePowers(requireCount(where, "bits", bits, 2, 8));
  return table("apot", values, 1, checkPer(where, per), checkActivations(where, activations));
}

/** Options of {@link fp8}. */
export interface Fp8Options {
  /** Default "channel". */
  readonly per?: Granularity | undefined;
}

/**
 * 8-bit floats as storage: `"e4m3"` (largest 448) for accuracy, `"e5m2"` for range. The largest weight becomes the largest float.
 *
 * @throws ArgumentError
 * @example
 * quantize.fp8("e4m3").storage; // 8
 */
export function fp8(format: Float8 = "e4m3", options: Fp8Options = {}): Scheme {
  const where = "quantize.fp8";
  requireOneOf(where, "the format", format, ["e4m3", "e5m2"]);
  checkOptions(where, options, ["per"]);
  const grid: Grid = { kind: "table", table: floatTable(format).table, limit: floatLimit(format), float: format };
  return {
    name: `fp8 ${format}`,
    ...formatFor(8, "codebook"),
    grid,
    per: checkPer(where, options.per ?? "channel"),
    activations: "float",
  };
}

/**
 * 4-bit floats of the OCP's microscaling formats (Rouhani et al. 2023): ±0, 0.5, 1, 1.5, 2, 3, 4 or 6 times a power of two that 32
 * inputs share, which takes one byte. The largest weight of a block lies between 4 and 8 times its scale; beyond 6 it is clipped.
 *
 * @example
 * quantize.mxfp4().per; // 32
 */
export function mxfp4(): Scheme {
  const { bits: storage, block: per } = formats.mxfp4;
  const grid: Grid = { kind: "table", table: floatTable("e2m1").table, limit: floatLimit("e2m1"), float: "e2m1" };
  return { name: "mxfp4", format: "mxfp4", storage, grid, per, activations: "float" };
}

function table(
  name: string,
  exact: readonly number[],
  limit: number,
  per: Granularity,
  activations: Activations,
): Scheme {
  // Products of integers see a table in whole parts of its largest entry / 127, so that is the table then.
  const unit = Math.fround(limit / 127);
  const rounded = exact.map((entry) => Math.fround(unit * Math.round(entry / unit)));
  const entries = activations === "float" ? { table: exact } : { table: rounded, exact };
  const held = formatFor(Math.ceil(Math.log2(exact.length)), "codebook");
  return { name, ...held, grid: { kind: "table", ...entries, limit }, per, activations };
}

/** A scheme in words, such as "int4, group 32, symmetric, float activations". */
export function describeScheme({ name, per, grid, activations }: Scheme): string {
  const shared = typeof per === "number" ? `group ${per}` : `per ${per}`;
  const parts = [name, shared];
  if (grid.kind === "uniform") parts.push(grid.symmetric ? "symmetric" : "affine");
  if (grid.kind === "learned") parts.push(`${grid.entries} entries`);
  return [...parts, `${activations} activations`].join(", ");
}

/** The functions that make schemes, which are not schemes themselves. */
export const schemeMakers: ReadonlySet<unknown> = new Set<unknown>([int8, int4, intN, nf4, kmeans, apot, fp8, mxfp4]);

/** @throws ArgumentError unless `value` is a scheme. */
export function requireScheme(where: string, value: unknown): asserts value is Scheme {
  const scheme = value as Partial<Scheme> | null | undefined;
  if (typeof scheme === "object" && scheme?.grid && scheme.format) return;
  const call = typeof value === "function" ? "; call the function that was given" : "";
  throw new ArgumentError(
    `${where}: the scheme must be one of quantize, such as quantize.int8({ activations: "static" })${call}`,
  );
}
