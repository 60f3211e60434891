// Test functions of search: smooth, ill-conditioned, multimodal, noisy. functions.py has the same for Optuna's side.
import { tune } from "../../lib/tune/index.js";
import { flatten, type FlatSpace } from "../../lib/tune/space/index.js";
import { Draws } from "../../lib/tune/random/philox.js";

/** A function on a box. */
export interface TestFunction {
  readonly bounds: readonly (readonly [number, number])[];
  readonly f: (x: readonly number[]) => number;
  /** Standard deviation of what is added to a value that a sampler sees. */
  readonly noise: number;
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const box = (n: number, low: number, high: number): [number, number][] => Array.from({ length: n }, () => [low, high]);

function branin([a, b]: readonly number[]): number {
  const t = b! - (5.1 / (4 * Math.PI ** 2)) * a! * a! + (5 / Math.PI) * a! - 6;
  return t * t + 10 * (1 - 1 / (8 * Math.PI)) * Math.cos(a!) + 10;
}

const weights = [1, 1.2, 3, 3.2];
const curvatures = [
  [10, 3, 17, 3.5, 1.7, 8],
  [0.05, 10, 17, 0.1, 8, 14],
  [3, 3.5, 1.7, 10, 17, 8],
  [17, 8, 0.05, 10, 0.1, 14],
];
const centres = [
  [1312, 1696, 5569, 124, 8283, 5886],
  [2329, 4135, 8307, 3736, 1004, 9991],
  [2348, 1451, 3522, 2883, 3047, 6650],
  [4047, 8828, 8732, 5743, 1091, 381],
];

function hartmann6(x: readonly number[]): number {
  const term = (i: number): number =>
    weights[i]! * Math.exp(-sum(x.map((xj, j) => curvatures[i]![j]! * (xj - centres[i]![j]! * 1e-4) ** 2)));
  return -sum(weights.map((_, i) => term(i)));
}

function rosenbrock(x: readonly number[]): number {
  return sum(x.slice(1).map((b, i) => 100 * (b - x[i]! ** 2) ** 2 + (1 - x[i]!) ** 2));
}

const shift = [7.3, -11.9, 4.1, 14.7, -2.6];

function ackley(x: readonly number[]): number {
  const z = x.map((a, i) => a - shift[i]!);
  const radius = Math.sqrt(sum(z.map((a) => a * a)) / z.length);
  const waves = sum(z.map((a) => Math.cos(2 * Math.PI * a))) / z.length;
  return -20 * Math.exp(-0.2 * radius) - Math.exp(waves) + 20 + Math.E;
}

function levy(x: readonly number[]): number {
  const w = x.map((a) => 1 + (a - 1) / 4);
  const last = w.at(-1)!;
  const inner = sum(w.slice(0, -1).map((a) => (a - 1) ** 2 * (1 + 10 * Math.sin(Math.PI * a + 1) ** 2)));
  return Math.sin(Math.PI * w[0]!) ** 2 + inner + (last - 1) ** 2 * (1 + Math.sin(2 * Math.PI * last) ** 2);
}

/** By name. */
export const functions: Readonly<Record<string, TestFunction>> = {
  branin: { bounds: [[-5, 10], [0, 15]], f: branin, noise: 0 }, // prettier-ignore
  hartmann6: { bounds: box(6, 0, 1), f: hartmann6, noise: 0 },
  rosenbrock5: { bounds: box(5, -2.048, 2.048), f: rosenbrock, noise: 0 },
  ackley5: { bounds: box(5, -32.768, 32.768), f: ackley, noise: 0 },
  "noisy-levy4": { bounds: box(4, -10, 10), f: levy, noise: 1 },
};

/** The space of a function. */
export function spaceOf({ bounds }: TestFunction): FlatSpace {
  return flatten(Object.fromEntries(bounds.map(([low, high], i) => [`x${i}`, tune.uniform(low, high)])));
}

/** The noise of a trial. */
export const noiseOf = (seed: number, number: number): number => new Draws(1000 + seed, number, "noise").normal();
