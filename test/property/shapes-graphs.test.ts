// Random graphs of elementwise operations, products, reductions and movements: with all passes they give what they give without.
import fc from "fast-check";
import { describe, it } from "vitest";
import type { Tensor } from "../../lib/tensor/index.js";
import type { OpName } from "../../lib/native/operations.js";
import { expectClose } from "../ops/compare.js";
import { evaluate, expectSameBits, plain } from "../ops/engine.js";
import { uniform } from "../ops/value.js";

const numRuns = process.env.ATHANOR_TEST_MATRIX === "full" ? 3000 : 150;

/** One more value of the graph: what is done, and to which of the values so far. */
interface Step {
  readonly kind: "unary" | "binary" | "matmul" | "reduce" | "transpose" | "slice" | "where";
  readonly which: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

// Bounded functions, so that no graph overflows or magnifies a rounding.
const unary: readonly OpName[] = [
  "tanh",
  "sigmoid",
  "relu",
  "sin",
  "abs",
  "neg",
  "square",
  "erf",
  "stop_gradient",
  "cos",
];
const binary: readonly OpName[] = ["add", "sub", "mul", "maximum", "minimum"];

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom(
    "unary",
    "unary",
    "binary",
    "binary",
    "binary",
    "matmul",
    "reduce",
    "transpose",
    "slice",
    "where",
  ),
  which: fc.nat(100),
  a: fc.nat(100),
  b: fc.nat(100),
  c: fc.nat(100),
});

const bounded = (x: Tensor): Tensor => x.clamp(-2, 2);

/** Every value is [4, 5], [5], [4, 1] or []: they all broadcast. */
function apply(values: readonly Tensor[], weight: Tensor, { kind, which, a, b, c }: Step): Tensor {
  const pick = (i: number) => values[i % values.length]!;
  const x = pick(a);
  const full = (t: Tensor) => t.broadcastTo([4, 5]);
  switch (kind) {
    case "unary":
      return bounded(x.trace.apply(unary[which % unary.length]!, [x]));
    case "binary":
      return bounded(x.trace.apply(binary[which % binary.length]!, [x, pick(b)]));
    case "matmul":
      return full(x).matmul(weight).mul(0.25);
    case "reduce":
      return which % 2 === 0 ? full(x).mean(0) : full(x).max(1, { keep: true });
    case "transpose":
      return full(x).transpose().add(1).transpose().sub(1);
    case "slice":
      return full(x).slice(null, [4, -6, -1]);
    case "where":
      return full(x).gt(pick(b)).where(pick(b), pick(c)).broadcastTo([4, 5]);
  }
}

describe("a random graph", () => {
  it("gives the same with all passes as without, whatever of it is read", () => {
    const inputs = [uniform([4, 5]), uniform([5]), uniform([4, 1]), uniform([]), uniform([5, 5])];
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 1, maxLength: 25 }),
        fc.array(fc.nat(100), { minLength: 0, maxLength: 4 }),
        (steps, read) => {
          const build = (_: unknown, tensors: readonly Tensor[]): Tensor[] => {
            const values = [...tensors.slice(0, 4)];
            for (const each of steps) values.push(apply(values, tensors[4]!, each));
            return [values.at(-1)!, ...read.map((i) => values[i % values.length]!)];
          };
          const optimized = evaluate(inputs, build);
          // Passes move no rounding: what is compared exactly in a max or a where must not flip.
          expectSameBits("", evaluate(inputs, build, { ...plain, optimize: false }), optimized);
          expectSameBits("two threads", evaluate(inputs, build, { ...plain, threads: 2 }), optimized);
        },
      ),
      { numRuns },
    );
  });

  it("has the same gradients with all passes as without", () => {
    const inputs = [uniform([4, 5]), uniform([5]), uniform([4, 1]), uniform([]), uniform([5, 5])];
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 15 }), (steps) => {
        const build = (_: unknown, tensors: readonly Tensor[]): Tensor[] => {
          const values = [...tensors.slice(0, 4)];
          for (const each of steps) values.push(apply(values, tensors[4]!, each));
          return values[0]!.trace.gradients(values.at(-1)!.square().sum(), tensors);
        };
        expectClose("", evaluate(inputs, build), evaluate(inputs, build, { ...plain, optimize: false }), "rows");
      }),
      { numRuns },
    );
  });
});
