// Operations over a dimension as a whole: norms, pooling, reductions, softmax, tables of rows; and what a graph begins with.
import type { PruningRule } from "../../native/operations.js";
import { viewOf } from "../../tensor/parameter.js";
import { fixedResults, listAttr, numberAttr, placeOf, type Context, type Rule, type Value } from "./value.js";

const parameter: Rule = (context) => {
  // Axes of the model's own parameters are known before; what is left is not the model's.
  return fixedResults(context, "it is a parameter from outside of the model");
};

const constant: Rule = (context) => {
  const { node, shape } = context;
  const scalar = shape.length === 0 && node.constant ? viewOf(node.types[0]!.dtype, node.constant)[0] : undefined;
  const [value] = fixedResults(context, "the code has a constant of its size");
  return [{ ...value!, weight: true, ...(scalar !== undefined && { scalar }) }];
};

const input: Rule = (context) => fixedResults(context, "it is the model's input").map((x) => ({ ...x, weight: false }));
const arange: Rule = (context) => fixedResults(context, "the code counts it");

// Random numbers are drawn anew for whatever shape there is; they are no weight.
const random: Rule = ({ units, shape }) => [
  { axes: shape.map((extent) => units.fresh(extent)), zero: shape.map(() => false), weight: false },
];

const batchNorm: Rule = ({ units, node, inputs }) => {
  const [x, weight, bias] = inputs as [Value, Value, Value];
  const channel = x.axes[1]!;
  units.joinAxes(channel, weight.axes[0]!);
  units.joinAxes(channel, bias.axes[0]!);
  const zero = weight.zero[0]! && bias.zero[0]!;
  const statistic = { axes: [channel], zero: [false], weight: false };
  return [
    { axes: x.axes, zero: x.axes.map((_, axis) => axis === 1 && zero), weight: false },
    ...node.types.slice(1).map(() => statistic),
  ];
};

// Removed places would have to leave the row's statistics, which no mask can make them do.
const rowNorm: Rule = ({ units, node, inputs }) => {
  const [x] = inputs as [Value];
  const reason = `${placeOf(node)} takes its mean and variance over it`;
  units.pinAxis(x.axes.at(-1)!, node.op === "rms_norm" ? `${placeOf(node)} takes its mean square over it` : reason);
  for (const { axes } of inputs.slice(1)) units.joinAxes(x.axes.at(-1)!, axes[0]!);
  const lead = x.axes.slice(0, -1);
  const statistic = { axes: lead, zero: lead.map(() => false), weight: x.weight };
  return [
    { axes: x.axes, zero: x.axes.map(() => false), weight: x.weight },
    ...node.types.slice(1).map(() => statistic),
  ];
};

const pool: Rule = ({ units, inputs, shape }) => {
  const x = inputs[0]!;
  const place = "it is a place in an image";
  for (const axis of x.axes.slice(2)) units.pinAxis(axis, place);
  const axes = [x.axes[0]!, x.axes[1]!, ...shape.slice(2).map((extent) => units.fixed(extent, place))];
  return [{ axes, zero: [x.zero[0]!, x.zero[1]!, false, false], weight: x.weight }];
};

// A sum does not miss what is 0; everything else (means, maxima) does.
const reduction =
  (missesZero: boolean, index = false): Rule =>
  ({ units, node, inputs }) => {
    const x = inputs[0]!;
    const along = listAttr(node, "axes") ?? [numberAttr(node, "axis", -1)];
    const keep = node.attrs.keep === true;
    for (const axis of along) {
      if (!missesZero || !x.zero[axis]) units.pinAxis(x.axes[axis]!, `${placeOf(node)} runs over it`);
    }
    const left = x.axes.map((_, axis) => axis).filter((axis) => keep || !along.includes(axis));
    return [
      {
        axes: left.map((axis) => (along.includes(axis) ? units.fixed(1, "it has one place") : x.axes[axis]!)),
        zero: left.map((axis) => !index && !along.includes(axis) && x.zero[axis]!),
        weight: x.weight,
      },
    ];
  };

const softmax: Rule = ({ units, node, inputs }) => {
  const x = inputs[0]!;
  units.pinAxis(x.axes[numberAttr(node, "axis", -1)]!, `${placeOf(node)} sums over it`);
  return [{ ...x, zero: x.zero.map(() => false) }];
};

const embedding: Rule = (context) => {
  const { units, inputs } = context;
  const [table, index] = inputs as [Value, Value];
  units.pinAxis(table.axes[0]!, "its rows are looked up by number");
  context.made("neurons", table.axes[1]!);
  return [
    { axes: [...index.axes, table.axes[1]!], zero: [...index.axes.map(() => false), table.zero[1]!], weight: false },
  ];
};

/** By the name that the operations' rows have. */
export const layerRules = {
  input,
  parameter,
  constant,
  counted: arange,
  random,
  batch_norm: batchNorm,
  row_norm: rowNorm,
  pool,
  sum: reduction(true),
  reduction: reduction(false),
  index: reduction(false, true),
  softmax,
  table: embedding,
} satisfies Partial<Record<PruningRule, Rule>>;

/** Nothing is known of the operation: everything that it touches must stay. */
export const opaque: Rule = (context: Context) => {
  const reason = `${placeOf(context.node)} is an operation that structured pruning does not see through`;
  for (const { axes } of context.inputs) for (const axis of axes) context.units.pinAxis(axis, reason);
  return fixedResults(context, reason);
};
