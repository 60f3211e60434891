// Cuts: for every parameter the places along its axes that stay. Whatever has a parameter's shape is cut like it.
import { ShapeError } from "../../errors.js";
import type { TypedArray } from "../../tensor/dtype.js";
import { countOf, NdArray, showShape, type Shape } from "../../tensor/nd-array.js";
import type { Parameter } from "../../tensor/parameter.js";
import type { Axis, Units } from "./units.js";

/** The places that stay along each axis, all of them where there is none. */
export type Cut = readonly (readonly number[] | undefined)[];

/** What the removal of classes leaves of each parameter that it touches. */
export function cutsOf(
  axesOf: ReadonlyMap<Parameter, readonly Axis[]>,
  units: Units,
  removed: ReadonlySet<number>,
): Map<Parameter, Cut> {
  const cuts = new Map<Parameter, Cut>();
  for (const [parameter, axes] of axesOf) {
    const cut = axes.map((axis) => {
      const kept = [...axis.keys()].filter((place) => !removed.has(units.classOf(axis[place]!)));
      return kept.length === axis.length ? undefined : kept;
    });
    if (cut.some((kept) => kept !== undefined)) cuts.set(parameter, cut);
  }
  return cuts;
}

/** The shape that is left. */
export function cutShape(shape: Shape, cut: Cut): number[] {
  return shape.map((extent, axis) => cut[axis]?.length ?? extent);
}

/**
 * The values that are left.
 *
 * @throws ShapeError unless `values` has the parameter's shape.
 */
export function cutArray(where: string, values: NdArray, shape: Shape, cut: Cut): NdArray {
  const fits =
    values.shape.length === shape.length && values.shape.every((extent, i) => extent === shape[i] || extent === 1);
  if (!fits) throw new ShapeError(`${where}: expected ${showShape(shape)}, got ${showShape(values.shape)}`);
  let { data } = values;
  const extents = [...values.shape];
  cut.forEach((kept, axis) => {
    if (!kept) return;
    if (extents[axis] !== shape[axis]) {
      const share = shape[axis]! / kept.length;
      data = data.map((mean: number) => mean * share);
      return;
    }
    const outer = countOf(extents.slice(0, axis));
    const inner = countOf(extents.slice(axis + 1));
    data = cutAxis(data, kept, { outer, extent: extents[axis]!, inner });
    extents[axis] = kept.length;
  });
  return new NdArray(data, extents, values.dtype);
}

interface AxisOf {
  readonly outer: number;
  readonly extent: number;
  readonly inner: number;
}

// data [outer, extent, inner] → [outer, kept, inner]
function cutAxis(data: TypedArray, kept: readonly number[], { outer, extent, inner }: AxisOf): TypedArray {
  const next = data.slice(0, outer * kept.length * inner);
  const runs = runsOf(kept);
  let to = 0;
  for (let block = 0; block < outer; ++block) {
    for (const { place, count } of runs) {
      const from = (block * extent + place) * inner;
      const length = count * inner;
      // Copies of a few elements cost less by hand than a view for each.
      if (length < 16) for (let i = 0; i < length; ++i) next[to + i] = data[from + i]!;
      else next.set(data.subarray(from, from + length), to);
      to += length;
    }
  }
  return next;
}

// Places in a row as one.
function runsOf(places: readonly number[]): { place: number; count: number }[] {
  const runs: { place: number; count: number }[] = [];
  for (const place of places) {
    const last = runs.at(-1);
    if (last && last.place + last.count === place) last.count++;
    else runs.push({ place, count: 1 });
  }
  return runs;
}
