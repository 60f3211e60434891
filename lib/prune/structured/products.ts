// Products: units of the contracted dimension go from both operands at once, those of the others pass through. What a sum runs
// over may only go where one side is 0 for it, else the smaller model would compute something else than the masked one.
import type { PruningRule } from "../../native/operations.js";
import type { Axis, Units } from "./units.js";
import { numberAttr, placeOf, type Rule, type Value } from "./value.js";

// Leading dimensions of two operands, aligned from their end, without the last two.
function leading(units: Units, a: Value, b: Value): { axes: Axis[]; zero: boolean[] } {
  const rank = Math.max(a.axes.length, b.axes.length) - 2;
  const pairs = Array.from({ length: rank }, (_, axis) =>
    [a, b].map((value) => {
      const own = axis - rank + value.axes.length - 2;
      return own < 0 ? undefined : { axis: value.axes[own]!, zero: value.zero[own]! };
    }),
  );
  const picked = pairs.map(([one, other]) => {
    const extent = Math.max(one?.axis.length ?? 1, other?.axis.length ?? 1);
    const wide = [one, other].filter((side) => side?.axis.length === extent).map((side) => side!);
    if (wide.length === 2) units.joinAxes(wide[0]!.axis, wide[1]!.axis);
    return { axis: wide[0]!.axis, zero: wide.some(({ zero }) => zero) };
  });
  return { axes: picked.map(({ axis }) => axis), zero: picked.map(({ zero }) => zero) };
}

const matmul: Rule = (context) => {
  const { units, node, inputs } = context;
  const [a, b] = inputs as [Value, Value];
  const side = (value: Value, transposed: boolean, last: boolean) => {
    const axis = value.axes.length - (last === transposed ? 2 : 1);
    return { axis: value.axes[axis]!, zero: value.zero[axis]! };
  };
  const [ta, tb] = [node.attrs.trans_a === true, node.attrs.trans_b === true];
  const [m, k] = [side(a, ta, false), side(a, ta, true)];
  const [n, inner] = [side(b, tb, true), side(b, tb, false)];
  units.joinAxes(k.axis, inner.axis);
  const lead = leading(units, a, b);
  if (!a.weight && !b.weight) {
    units.pinAxis(k.axis, `${placeOf(node)} sums over it between two values that depend on the input`);
    if (lead.axes.length >= 2) lead.axes.slice(1).forEach((axis) => context.made("heads", axis));
  } else if (!k.zero && !inner.zero) {
    units.pinAxis(k.axis, `${placeOf(node)} sums over it, and nothing makes a removed part of it 0`);
  }
  if (b.weight && !a.weight) context.made("neurons", n.axis);
  if (a.weight && !b.weight) context.made("neurons", m.axis);
  return [{ axes: [...lead.axes, m.axis, n.axis], zero: [...lead.zero, m.zero, n.zero], weight: a.weight && b.weight }];
};

/** One operand's part in blocks that go together: `count` blocks of `size` places in a row. */
interface Blocks {
  readonly axis: Axis;
  readonly size: number;
}

// Whole blocks: block i of every axis goes with block i of the others.
function joinBlocks(units: Units, count: number, parts: readonly Blocks[]): void {
  const [head] = parts;
  for (let block = 0; block < count; ++block) {
    for (const { axis, size } of parts) {
      for (let i = 0; i < size; ++i) units.join(head!.axis[block * head!.size]!, axis[block * size + i]!);
    }
  }
}

// One place of every block: place j of each block of an axis goes with the same place of the others.
function joinPlaces(units: Units, count: number, { axis, size }: Blocks): void {
  for (let block = 1; block < count; ++block) {
    for (let j = 0; j < size; ++j) units.join(axis[j]!, axis[block * size + j]!);
  }
}

const conv2d: Rule = (context) => {
  const { units, node, inputs } = context;
  const [x, w] = inputs as [Value, Value];
  const groups = numberAttr(node, "groups", 1);
  const [into, out] = [x.axes[1]!, w.axes[0]!];
  const [inSize, outSize] = [into.length / groups, out.length / groups];
  const place = placeOf(node);
  // Whole groups or one channel of each, whichever leaves more to choose from; a depthwise convolution has whole groups alone.
  if (groups > 1 && (inSize === 1 || groups >= Math.min(inSize, outSize))) {
    joinBlocks(units, groups, [
      { axis: into, size: inSize },
      { axis: out, size: outSize },
    ]);
    units.pinAxis(w.axes[1]!, `${place} has groups that go as a whole`);
  } else {
    joinPlaces(units, groups, { axis: into, size: inSize });
    joinPlaces(units, groups, { axis: out, size: outSize });
    for (let j = 0; j < inSize; ++j) units.join(into[j]!, w.axes[1]![j]!);
    if (!x.zero[1] && !w.zero[1])
      units.pinAxis(into, `${place} sums over it, and nothing makes a removed part of it 0`);
  }
  for (const axis of [x.axes[2]!, x.axes[3]!, w.axes[2]!, w.axes[3]!]) units.pinAxis(axis, "it is a place in an image");
  if (w.weight) context.made("channels", out);
  const [, , height, width] = context.shape as [number, number, number, number];
  return [
    {
      axes: [
        x.axes[0]!,
        out,
        units.fixed(height, "it is a place in an image"),
        units.fixed(width, "it is a place in an image"),
      ],
      zero: [x.zero[0]!, w.zero[0]!, false, false],
      weight: x.weight && w.weight,
    },
  ];
};

// Heads that go together: those of queries that share keys, or one query head of every such set, whichever are more.
function joinHeads(units: Units, q: Blocks, k: Blocks, v: Blocks, heads: number, kvHeads: number): void {
  for (const { axis, size } of [q, k, v]) {
    for (let i = 0; i < axis.length; ++i) units.join(axis[i - (i % size)]!, axis[i]!);
  }
  const shared = heads / kvHeads;
  if (shared === 1 || kvHeads >= shared) {
    joinBlocks(units, kvHeads, [k, v, { axis: q.axis, size: q.size * shared }]);
    return;
  }
  joinPlaces(units, kvHeads, { axis: q.axis, size: q.size * shared });
  const reason = "its key heads are fewer than the query heads that share one";
  for (const { axis } of [k, v]) units.pinAxis(axis, reason);
}

const attentionPacked: Rule = (context) => {
  const { units, node, inputs } = context;
  const [batch, time, all] = inputs[0]!.axes as [Axis, Axis, Axis];
  const heads = numberAttr(node, "heads", 1);
  const kvHeads = numberAttr(node, "kv_heads", heads);
  const depth = all.length / (heads + 2 * kvHeads);
  const part = (first: number, count: number): Blocks => ({
    axis: all.subarray(first * depth, (first + count) * depth),
    size: depth,
  });
  const [q, k, v] = [part(0, heads), part(heads, kvHeads), part(heads + kvHeads, kvHeads)];
  joinHeads(units, q, k, v, heads, kvHeads);
  units.pinAxis(time, `${placeOf(node)} looks along it`);
  context.made("heads", q.axis);
  // A head whose values are 0 gives 0.
  return [{ axes: [batch, time, q.axis], zero: [false, false, inputs[0]!.zero[2]!], weight: false }];
};

const attention: Rule = (context) => {
  const { units, node, inputs } = context;
  const [q, k, v, mask] = inputs as [Value, Value, Value, Value | undefined];
  const ones = (value: Value): Blocks => ({ axis: value.axes[1]!, size: 1 });
  const [heads, kvHeads] = [q.axes[1]!.length, k.axes[1]!.length];
  joinHeads(units, ones(q), ones(k), ones(v), heads, kvHeads);
  for (const other of [k, v]) units.joinAxes(q.axes[0]!, other.axes[0]!);
  if (mask?.axes[1]!.length === heads) units.joinAxes(q.axes[1]!, mask.axes[1]);
  for (const value of [q, k, v]) {
    units.pinAxis(value.axes[2]!, `${placeOf(node)} looks along it`);
    units.pinAxis(value.axes[3]!, "it is a feature within a head");
  }
  context.made("heads", q.axes[1]!);
  return [{ axes: q.axes, zero: [false, v.zero[1]!, false, false], weight: false }];
};

/** By the name that the operations' rows have. */
export const productRules = {
  product: matmul,
  convolution: conv2d,
  attention,
  attention_packed: attentionPacked,
} satisfies Partial<Record<PruningRule, Rule>>;
