// Conditional and mixed spaces in which the best branch looks bad at first: its good region is small. conditional.py has the same.
import { tune } from "../../lib/tune/index.js";
import { flatten, type FlatSpace, type Params } from "../../lib/tune/space/index.js";

/** A conditional problem. */
export interface ConditionalProblem {
  readonly space: FlatSpace;
  readonly f: (params: Params) => number;
  /** Whether a trial is in the right branch. */
  readonly isRight: (params: Params) => boolean;
}

const bump = (depth: number, squares: number, width: number): number =>
  -depth * Math.exp(-squares / (2 * width * width));

const kinds = ["a", "b", "c", "d"] as const;
const pair = { x: tune.uniform(0, 1), y: tune.uniform(0, 1) };

/** Four branches of two numbers: broad bowls, and one with a hole. The bowls end at 0.5, the hole at −1. */
const hole: ConditionalProblem = {
  space: flatten({ kind: tune.choice(kinds), at: tune.when("kind", { a: pair, b: pair, c: pair, d: pair }) }),
  f(params) {
    const kind = kinds[params.kind!]!;
    const x = params[`at.${kind}.x`]!;
    const y = params[`at.${kind}.y`]!;
    if (kind === "c") return 2 + bump(3, (x - 0.7) ** 2 + (y - 0.25) ** 2, 0.15);
    return { a: 0.5, b: 0.7, d: 0.9 }[kind] + (x - 0.4) ** 2 + (y - 0.6) ** 2;
  },
  isRight: (params) => params.kind === 2,
};

/** A learning rate for all; SGD needs it and its momentum just so, Adam and RMSProp forgive. Best: SGD, 0.05; the others 0.1. */
const optimizer: ConditionalProblem = {
  space: flatten({
    lr: tune.logUniform(1e-5, 1),
    dropout: tune.uniform(0, 0.5),
    optimizer: tune.choice(["adam", "rmsprop", "sgd"]),
    settings: tune.when("optimizer", {
      adam: { beta1: tune.uniform(0.8, 0.99) },
      sgd: { momentum: tune.uniform(0, 0.99), nesterov: tune.choice([false, true]) },
    }),
  }),
  f(params) {
    const rate = Math.log10(params.lr!);
    const drop = 0.2 * (params.dropout! - 0.2) ** 2;
    if (params.optimizer === 0)
      return 0.1 + drop + 0.02 * (rate + 3) ** 2 + (params["settings.adam.beta1"]! - 0.9) ** 2;
    if (params.optimizer === 1) return 0.12 + drop + 0.02 * (rate + 3) ** 2;
    const squares = ((rate + 1) / 3) ** 2 + (params["settings.sgd.momentum"]! - 0.9) ** 2;
    return 0.5 + drop + (params["settings.sgd.nesterov"] === 1 ? 0 : 0.02) + bump(0.45, squares, 0.12);
  },
  isRight: (params) => params.optimizer === 2,
};

const layer = { width: tune.int(8, 128) };

/** Depth decides how many widths there are; three layers are best, if their widths fall. */
const depth: ConditionalProblem = {
  space: flatten({
    lr: tune.logUniform(1e-4, 1),
    depth: tune.int(1, 3),
    net: tune.when("depth", {
      "1": { one: layer },
      "2": { one: layer, two: layer },
      "3": { one: layer, two: layer, three: layer },
    }),
  }),
  f(params) {
    const rate = 0.05 * (Math.log10(params.lr!) + 2) ** 2;
    const width = (name: string): number => (params[`net.${params.depth}.${name}.width`]! - 8) / 120;
    if (params.depth === 1) return 0.3 + rate + 0.1 * (width("one") - 0.5) ** 2;
    if (params.depth === 2) return 0.35 + rate + 0.1 * (width("one") - 0.5) ** 2 + 0.1 * (width("two") - 0.5) ** 2;
    const squares = (width("one") - 0.8) ** 2 + (width("two") - 0.5) ** 2 + (width("three") - 0.2) ** 2;
    return 0.9 + rate + bump(0.8, squares, 0.25);
  },
  isRight: (params) => params.depth === 3,
};

/** A mixed space without conditions: the best of five choices has a narrow valley of its own. */
const mixed: ConditionalProblem = {
  space: flatten({ kind: tune.choice(["a", "b", "c", "d", "e"]), x: tune.uniform(0, 1), n: tune.int(0, 10) }),
  f({ kind, x, n }) {
    if (kind === 4) return 1.5 + bump(2, (x! - 0.15) ** 2 + ((n! - 8) / 10) ** 2, 0.12);
    return 0.2 * (1 + kind!) + (x! - 0.6) ** 2 + ((n! - 3) / 10) ** 2;
  },
  isRight: ({ kind }) => kind === 4,
};

/** By name. */
export const conditionals: Readonly<Record<string, ConditionalProblem>> = { hole, optimizer, depth, mixed };
