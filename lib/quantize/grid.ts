// The arithmetic of all formats, as compositions of elementwise operations: from a weight to scales, from there to codes, and back.
// Fake quantization is the way there and back with the gradient passed straight through the rounding (Bengio et al. 2013); where
// the scale is trained its gradient is LSQ's (Esser et al. 2020), which is what differentiating the composition gives.
//
// One order of operations for training and packing, so that both get the same integers:
//   u = w / scale;  c = clamp(u, low − zero, high − zero);  q = round(c) (halves to even);  code = q + zero;  value = q · scale
import { formats } from "../native/formats.js";
import { array, type NdArray } from "../tensor/nd-array.js";
import type { Operand, Tensor } from "../tensor/tensor.js";
import { grouped, ungrouped, type Layout } from "./layout.js";
import type { Granularity, Grid, Scheme } from "./scheme.js";
import { exponentScales } from "./tables.js";

/** What turns codes into values: f32 [N, G, 1] each, and the table f32 [C] of a table format. */
export interface Steps {
  readonly scale: Tensor;
  /** The integer that stands for 0. */
  readonly zero?: Tensor | undefined;
  readonly table?: Tensor | undefined;
}

// Scales below would be flushed to zero by the products with them; such a weight is 0 for all that follows.
const leastScale = 1e-30;

/** A value that is `value` in use and has the gradient of `through` (both of one shape), exactly. */
export function straightThrough(value: Tensor, through: Tensor): Tensor {
  // through − through is 0 without rounding, which value + (through − value) would not be.
  return value.add(through.sub(through.stopGradient()));
}

/** The nearest bf16, as f32. */
export const toBf16 = (x: Tensor): Tensor => x.cast("bf16").cast("f32");

/** Largest of every group, or of all, as [N, G, 1]. */
function over(blocks: Tensor, layout: Layout, reduce: (x: Tensor, axes?: number) => Tensor): Tensor {
  if (!layout.whole) return reduce(blocks, 2).reshape([layout.rows, layout.groups, 1]);
  return reduce(blocks).reshape([1, 1, 1]).broadcastTo([layout.rows, layout.groups, 1]);
}

/** The scale f32 [N, G, 1] of table formats for blocks [N, G, group], with which the largest weight is the table's limit. */
export function groupScales(blocks: Tensor, layout: Layout, { format, grid, per }: Scheme): Tensor {
  const most = over(blocks.abs(), layout, (x, axes) => x.max(axes));
  if (formats[format].scale === "e8m0" && grid.kind === "table")
    return usable(powerBelow(most).div(powerOf(grid.limit)));
  return kept(most.div(grid.kind === "table" ? grid.limit : 1), per);
}

/** Scales (and zero points) that just hold the weight's values; bf16 numbers where they are one a group. */
export function stepsOf(w: Tensor, layout: Layout, scheme: Scheme, table?: Tensor): Steps {
  const { grid, per } = scheme;
  const blocks = grouped(w.stopGradient(), layout);
  if (grid.kind !== "uniform") return { scale: groupScales(blocks, layout, scheme), table: table ?? tableOf(w, grid) };
  const most = over(blocks, layout, (x, axes) => x.max(axes)).maximum(0);
  const least = over(blocks, layout, (x, axes) => x.min(axes)).minimum(0);
  const { low, high, symmetric } = grid;
  if (symmetric) return { scale: kept(most.div(high).maximum(least.div(low)), per) };
  const scale = kept(most.sub(least).div(high - low), per);
  return { scale, zero: least.div(scale).neg().round().clamp(low, high) };
}

/** The largest power of two that is not above x > 0, exactly. */
function powerBelow(x: Tensor): Tensor {
  const powers = x.trace.constant(array(Float32Array.from(exponentScales)));
  // The nearest power is that or the next one.
  const nearest = entriesAt(powers, nearestEntry(x, powers));
  return nearest.gt(x).where(nearest.mul(0.5), nearest);
}

const powerOf = (x: number): number => 2 ** Math.floor(Math.log2(x));

const kept = (scale: Tensor, per: Granularity): Tensor => usable(typeof per === "number" ? toBf16(scale) : scale);

/** A scale to divide by. */
function usable(scale: Tensor): Tensor {
  return scale.gt(leastScale).where(scale, 1);
}

/** The fixed table of a grid as a constant of the trace. */
export function tableOf(w: Tensor, grid: Grid): Tensor | undefined {
  return grid.kind === "table" ? w.trace.constant(array(Float32Array.from(grid.table))) : undefined;
}

/**
 * u limited to [low, high]. The gradient is 1 within, bounds included (that of `clamp` is halved where both sides are equal, and the
 * largest weight of every group is), and 0 beyond.
 */
export function limitedTo(u: Tensor, low: Operand, high: Operand): Tensor {
  const bounded = u.stopGradient().clamp(low, high);
  return u.stopGradient().eq(bounded).where(u, bounded);
}

// u limited to what codes can say.
function limited(u: Tensor, grid: Grid, { zero, table }: Steps): Tensor {
  if (grid.kind === "uniform") {
    const { low, high } = grid;
    return zero ? limitedTo(u, zero.neg().add(low), zero.neg().add(high)) : limitedTo(u, low, high);
  }
  if (grid.kind === "table") return limitedTo(u, -grid.limit, grid.limit);
  const entries = table!.shape[0]!;
  const ends = table!.stopGradient();
  return limitedTo(u, ends.slice([0, 1]), ends.slice([entries - 1, entries]));
}

/** The number of the nearest entry, i32. */
export function nearestEntry(u: Tensor, table: Tensor): Tensor {
  return u.trace.apply("nearest_entry", [u.stopGradient(), table.stopGradient()]);
}

/** Entries of a table f32 [C] by number; trains the table. */
export function entriesAt(table: Tensor, codes: Tensor): Tensor {
  return table.trace.apply("embedding", [table.reshape([-1, 1]), codes]).reshape(codes.shape);
}

/** The codes of a weight, f32 or i32 [N, K]. */
export function codesOf(w: Tensor, layout: Layout, { grid }: Scheme, steps: Steps): Tensor {
  const c = limited(grouped(w, layout).div(steps.scale), grid, steps);
  if (grid.kind !== "uniform") return ungrouped(nearestEntry(c, steps.table!), layout);
  const q = c.round();
  return ungrouped(steps.zero ? q.add(steps.zero) : q, layout);
}

/** The values of codes, f32 [N, K]. */
export function valuesOf(codes: Tensor, layout: Layout, { grid }: Scheme, steps: Steps): Tensor {
  if (grid.kind !== "uniform") {
    return ungrouped(grouped(entriesAt(steps.table!, codes.cast("i32")), layout).mul(steps.scale), layout);
  }
  const blocks = grouped(codes.cast("f32"), layout);
  return ungrouped((steps.zero ? blocks.sub(steps.zero) : blocks).mul(steps.scale), layout);
}

/**
 * A weight as quantized, in its own shape, with straight-through gradients for it and for trained steps. Steps that follow the
 * weights clip them by their rounding alone, so the gradient passes everywhere; beyond trained ones it stops.
 */
export function fakeQuantize(w: Tensor, layout: Layout, { grid }: Scheme, steps: Steps, trained: boolean): Tensor {
  const u = grouped(w, layout).div(steps.scale);
  const c = limited(u, grid, steps);
  const code =
    grid.kind === "uniform" ? c.round().stopGradient() : entriesAt(steps.table!, nearestEntry(c, steps.table!));
  return ungrouped(straightThrough(code, trained ? c : u).mul(steps.scale), layout).reshape(w.shape);
}

/** A trained step with its gradient scaled by 1 / √(count · high), so that it learns as fast as the weights (Esser et al. 2020). */
export function trainedStep(step: Tensor, count: number, high: number): Tensor {
  const g = 1 / Math.sqrt(Math.max(1, count * high));
  const fixed = step.stopGradient();
  return fixed.add(step.sub(fixed).mul(g)).maximum(leastScale);
}

/** The largest code magnitude of a grid, 1 for a table. */
export const highOf = (grid: Grid): number => (grid.kind === "uniform" ? (grid.high - grid.low) / 2 : 1);

/** Host values of a table format's fixed table. */
export function fixedTable(grid: Grid): NdArray | undefined {
  return grid.kind === "table" ? array(Float32Array.from(grid.table)) : undefined;
}
