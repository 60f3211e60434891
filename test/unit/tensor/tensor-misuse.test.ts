// A Tensor used as a JavaScript value: every use that has no meaning while tracing throws, and names what to write; printing works.
import { inspect } from "node:util";
import { ESLint } from "eslint";
import { describe, expect, it } from "vitest";
import { ArgumentError } from "../../../lib/errors.js";
import { nn } from "../../../lib/index.js";
import { array, compile, grad, Tensor } from "../../../lib/tensor/index.js";

type Loose = any; // eslint-disable-line @typescript-eslint/no-explicit-any -- plain JavaScript is what is tried here
/* eslint-disable @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-return, @typescript-eslint/no-unsafe-member-access, @typescript-eslint/no-unsafe-argument, @typescript-eslint/restrict-plus-operands, eqeqeq -- that is plain JavaScript */

const misuses: readonly (readonly [string, (x: Loose) => unknown, RegExp])[] = [
  ["x > 0 ? a : b", (x) => (x > 0 ? 1 : 2), /ops\.where\(x\.gt\(0\), a, b\)/],
  ["x <= 0", (x) => x <= 0, /x\.gt\(0\)/],
  ["x < y", (x) => x < x, /x\.gt\(0\)/],
  ["x * 2", (x) => x * 2, /x\.mul\(2\)/],
  ["2 - x", (x) => 2 - x, /x\.add\(1\)/],
  ["x + 1", (x) => x + 1, /x\.add\(1\)/],
  ["x + ''", (x) => x + "", /x\.add\(1\)/],
  ["-x", (x) => -x, /x\.mul\(2\)/],
  ["+x", (x) => +x, /x\.mul\(2\)/],
  ["x ** 2", (x) => x ** 2, /x\.mul\(2\)/],
  ["x % 2", (x) => x % 2, /x\.mul\(2\)/],
  ["x | 0", (x) => x | 0, /x\.mul\(2\)/],
  ["x++", (x) => [x++, x], /x\.add\(1\)/],
  ["x == 0", (x) => x == 0, /ops\.where/],
  ["Math.exp(x)", (x) => Math.exp(x), /x\.exp\(\) for Math\.exp\(x\)/],
  ["Math.max(x, 0)", (x) => Math.max(x, 0), /x\.mul\(2\)/],
  ["Number(x)", (x) => Number(x), /return it from the function/],
  ["isNaN(x)", (x) => isNaN(x), /return it from the function/],
  ["parseFloat(x * 1)", (x) => parseFloat(x * 1 + ""), /x\.mul\(2\)/],
  ["Float32Array.of(x)", (x) => Float32Array.of(x), /return it from the function/],
  ["for of", (x) => { for (const row of x) return row; }, /x\.slice\(\[i, i \+ 1\]\)/], // prettier-ignore
  ["spread", (x) => [...x], /x\.slice/],
  ["destructuring", (x) => { const [first] = x; return first; }, /x\.slice/], // prettier-ignore
  ["Array.from", (x) => Array.from(x), /x\.slice/],
  ["Math.max(...x)", (x) => Math.max(...x), /x\.slice/],
  ["new Set", (x) => new Set(x), /x\.slice/],
  ["JSON.stringify", (x) => JSON.stringify({ loss: x }), /^JSON: .*return it from the function/],
  ["x[0]", (x) => x[0], /x\.slice\(\[0, 1\]\)/],
  ["x[1][0]", (x) => x[1][0], /x\.slice\(\[1, 2\]\)/],
  ["x[-1]", (x) => x[-1], /x\.slice\(\[-1, 0\]\)/],
  ["x.length", (x) => x.length, /x\.shape\[0\]/],
  ["x.data", (x) => x.data, /return it from the function/],
];

describe("a tensor as a JavaScript value", () => {
  it.each(misuses)("%s throws and names the way", (_, misuse, way) => {
    let thrown: unknown;
    compile((x: Tensor) => {
      try {
        misuse(x);
      } catch (error) {
        thrown = error;
      }
      return x;
    }).program(array([1, 2, 3, 4], [2, 2]));
    expect(thrown).toBeInstanceOf(ArgumentError);
    expect((thrown as ArgumentError).message).toMatch(/a Tensor has no value yet/);
    expect((thrown as ArgumentError).message).toMatch(way);
  });

  it("prints as what it is", () => {
    compile((x: Tensor) => {
      const y = x.mul(2);
      expect(String(y)).toBe("Tensor f32 [2, 3]");
      expect(`y: ${y as unknown as string}`).toBe("y: Tensor f32 [2, 3]");
      expect(inspect(y)).toBe("Tensor f32 [2, 3], a value of the function being traced");
      expect(inspect({ y })).toContain("y: Tensor f32 [2, 3]");
      return y;
    }).program(array(new Float32Array(6), [2, 3]));
  });

  it("can be awaited, compared by identity, and kept in lists, sets and records", async () => {
    let held: unknown;
    compile((x: Tensor) => {
      held = { then: undefined, set: new Set([x]), list: [x], same: x === x.cast("f32"), is: x instanceof Tensor };
      return x;
    }).program(array([1]));
    expect(await Promise.resolve(held)).toMatchObject({ same: true, is: true });
  });
});

/** What the types refuse: each line must be an error, or this file does not compile. */
export function refusedByTypes(x: Tensor): unknown[] {
  return [
    // @ts-expect-error: a comparison
    x > 0,
    // @ts-expect-error: an identity with a number
    x === 0,
    // @ts-expect-error: arithmetic
    x * 2,
    // @ts-expect-error: a function of numbers
    Math.exp(x),
    // @ts-expect-error: an index
    x[0],
    // @ts-expect-error: an iteration
    ...x,
    // @ts-expect-error: a length
    x.length,
  ];
}

describe("a tensor that outlives its trace", () => {
  const leaks: readonly (readonly [string, () => Tensor])[] = [
    ["of compile", () => leak((keep) => compile((x: Tensor) => keep(x.mul(2))).runSync(array([1])))],
    ["of grad", () => leak((keep) => compile(grad((x: Tensor) => keep(x.square().sum()))).runSync(array([1])))],
    ["of a trace that threw no more", () => leak((keep) => compile((x: Tensor) => keep(x)).program(array([1])))],
  ];
  function leak(run: (keep: (x: Tensor) => Tensor) => unknown): Tensor {
    let kept: Tensor | undefined;
    run((x) => (kept = x));
    return kept!;
  }

  it.each(leaks)("%s is refused, outside of any function and inside another", (_, make) => {
    const leaked = make();
    const uses: readonly (() => unknown)[] = [
      () => leaked.add(1),
      () => leaked.matmul(array([1], [1, 1])),
      () => leaked.add(leaked),
      () => nn.relu().forward(leaked),
    ];
    for (const use of uses) expect(use).toThrow(/used after its function had been traced|only works while a function/);
    expect(() => compile((x: Tensor) => x.add(leaked)).runSync(array([1]))).toThrow(/another trace/);
    expect(() => compile((_x: Tensor) => leaked.add(1)).runSync(array([1]))).toThrow(
      /used after its function had been traced/,
    );
    expect(() => compile((_x: Tensor) => leaked).runSync(array([1]))).toThrow(/another trace|traced/);
  });
});

describe("the lint rules of docs/guide/tensors.md", () => {
  it("see a tensor taken for a truth value, and nothing else", async () => {
    const eslint = new ESLint({
      overrideConfigFile: new URL("../../lint/rules.mjs", import.meta.url).pathname,
      cwd: new URL("../../lint", import.meta.url).pathname,
    });
    const [bad, good] = await eslint.lintFiles(["bad.ts", "good.ts"]);
    const lines = (result: ESLint.LintResult) => result.messages.map(({ line }) => line);
    const source = bad!.source!.split("\n");
    const wanted = source.flatMap((text, i) => (text.includes("// caught") ? [i + 1] : []));
    expect(wanted.length).toBeGreaterThanOrEqual(9);
    expect([...new Set(lines(bad!))]).toEqual(wanted);
    expect(good!.messages).toEqual([]);
  }, 120_000);
});
