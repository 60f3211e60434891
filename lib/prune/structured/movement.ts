// Operations that move elements. A reshape cuts its extents into the smallest runs of equal product, such as [C, H, W] → [C·H·W]:
// where axes are made one, the units of the only free axis stand at whole blocks of the new one; where one is cut apart, one of
// the parts carries the units (heads, or else the outermost), and what it holds together goes together.
import type { PruningRule } from "../../native/operations.js";
import { countOf, type Shape } from "../../tensor/nd-array.js";
import type { Axis, Units } from "./units.js";
import { listAttr, numberAttr, placeOf, shapeOf, type Rule, type Value } from "./value.js";

/** Axes [from, fromEnd) of the operand that hold the elements of axes [to, toEnd) of the result. */
interface Run {
  readonly from: number;
  readonly fromEnd: number;
  readonly to: number;
  readonly toEnd: number;
}

function runsOf(from: Shape, to: Shape): Run[] {
  const runs: Run[] = [];
  let [i, j] = [0, 0];
  while (i < from.length || j < to.length) {
    const start = { from: i, to: j };
    let [a, b] = [from[i++] ?? 1, to[j++] ?? 1];
    while (a !== b && (i < from.length || j < to.length)) {
      if (a < b ? i < from.length : j >= to.length) a *= from[i++]!;
      else b *= to[j++]!;
    }
    runs.push({ ...start, fromEnd: Math.min(i, from.length), toEnd: Math.min(j, to.length) });
  }
  return runs;
}

// Index along `axis` of the element `flat` of a block of `shape`.
function indexAlong(shape: Shape, axis: number, flat: number): number {
  return Math.floor(flat / countOf(shape.slice(axis + 1))) % shape[axis]!;
}

const reshape: Rule = (context) => {
  const { units, inputs, shape, node } = context;
  const x = inputs[0]!;
  const axes: Axis[] = shape.map((extent) => new Int32Array(extent));
  const zero = shape.map(() => false);
  for (const run of runsOf(shapeOf(x), shape)) {
    const wide = (extents: Shape, first: number, end: number) =>
      Array.from({ length: Math.max(0, end - first) }, (_, i) => first + i).filter((axis) => extents[axis] !== 1);
    const [from, to] = [wide(shapeOf(x), run.from, run.fromEnd), wide(shape, run.to, run.toEnd)];
    for (let axis = run.to; axis < run.toEnd; ++axis) {
      if (shape[axis] === 1) axes[axis] = units.fixed(1, "it has one place");
    }
    if (from.length === 1 && to.length === 1) {
      axes[to[0]!] = x.axes[from[0]!]!;
      zero[to[0]!] = x.zero[from[0]!]!;
    } else if (to.length === 1) {
      [axes[to[0]!], zero[to[0]!]] = merged(units, x, from, placeOf(node));
    } else if (from.length === 1) {
      const carrier = to.find((axis) => context.leadsToHeads(axis)) ?? to[0]!;
      const parts = split(units, x.axes[from[0]!]!, shape, to, carrier, placeOf(node));
      to.forEach((axis, i) => (axes[axis] = parts[i]!));
      zero[carrier] = x.zero[from[0]!]!;
    } else {
      for (const axis of from) units.pinAxis(x.axes[axis]!, `${placeOf(node)} mixes several dimensions`);
      for (const axis of to) axes[axis] = units.fixed(shape[axis]!, `${placeOf(node)} mixes several dimensions`);
    }
  }
  return [{ axes, zero, weight: x.weight }];
};

function merged(units: Units, x: Value, from: readonly number[], place: string): [Axis, boolean] {
  const shape = from.map((axis) => x.axes[axis]!.length);
  const free = from.filter((axis) => !units.isFixed(x.axes[axis]!));
  if (free.length > 1) {
    for (const axis of free)
      units.pinAxis(x.axes[axis]!, `${place} makes it one dimension with another of which parts could go`);
  }
  const carrier = free.length === 1 ? free[0]! : from[0]!;
  const at = from.indexOf(carrier);
  const source = x.axes[carrier]!;
  return [
    Int32Array.from({ length: countOf(shape) }, (_, flat) => source[indexAlong(shape, at, flat)]!),
    x.zero[carrier]!,
  ];
}

function split(units: Units, x: Axis, to: Shape, axes: readonly number[], carrier: number, place: string): Axis[] {
  const shape = axes.map((axis) => to[axis]!);
  const at = axes.indexOf(carrier);
  const carried = new Int32Array(shape[at]!).fill(-1);
  x.forEach((unit, flat) => {
    const index = indexAlong(shape, at, flat);
    if (carried[index] === -1) carried[index] = unit;
    else units.join(carried[index]!, unit);
  });
  return shape.map((extent, i) =>
    i === at ? carried : units.fixed(extent, `${place} cuts it out of a larger dimension`),
  );
}

const transpose: Rule = ({ node, inputs }) => {
  const order = listAttr(node, "order")!;
  const x = inputs[0]!;
  return [{ axes: order.map((axis) => x.axes[axis]!), zero: order.map((axis) => x.zero[axis]!), weight: x.weight }];
};

const concat: Rule = ({ units, node, inputs, shape }) => {
  const along = numberAttr(node, "axis", 0);
  const axes = shape.map((extent, axis): Axis => {
    if (axis !== along) {
      for (const other of inputs.slice(1)) units.joinAxes(inputs[0]!.axes[axis]!, other.axes[axis]!);
      return inputs[0]!.axes[axis]!;
    }
    const all = new Int32Array(extent);
    let at = 0;
    for (const { axes: own } of inputs) {
      all.set(own[axis]!, at);
      at += own[axis]!.length;
    }
    return all;
  });
  const zero = shape.map((_, axis) => inputs.every((input) => input.zero[axis]!));
  return [{ axes, zero, weight: inputs.every(({ weight }) => weight) }];
};

const slice: Rule = ({ node, inputs, shape }) => {
  const x = inputs[0]!;
  const [start, step] = [listAttr(node, "start")!, listAttr(node, "step")!];
  const axes = shape.map((extent, axis) =>
    Int32Array.from({ length: extent }, (_, i) => x.axes[axis]![start[axis]! + i * step[axis]!]!),
  );
  return [{ axes, zero: x.zero, weight: x.weight }];
};

const pad: Rule = ({ units, node, inputs, shape }) => {
  const x = inputs[0]!;
  const axes = shape.map((extent, axis): Axis => {
    const own = x.axes[axis]!;
    if (extent === own.length) return own;
    units.pinAxis(own, `${placeOf(node)} puts something around it`);
    return units.fixed(extent, `${placeOf(node)} puts something around it`);
  });
  const kept = numberAttr(node, "value", 0) === 0;
  return [{ axes, zero: x.zero.map((zero) => zero && kept), weight: x.weight }];
};

/** By the name that the operations' rows have. */
export const movementRules = { reshape, transpose, concat, slice, pad } satisfies Partial<Record<PruningRule, Rule>>;

/** Kept places of an axis before a place of the old one: what a slice that starts there starts at afterwards. */
export function keptBefore(axis: Axis, kept: (unit: number) => boolean, place: number): number {
  let count = 0;
  for (let i = 0; i < place; ++i) if (kept(axis[i]!)) ++count;
  return count;
}
