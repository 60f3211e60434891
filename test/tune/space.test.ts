import fc from "fast-check";
import { describe, expect, expectTypeOf, it } from "vitest";
import { ArgumentError } from "../../lib/errors.js";
import {
  activeParameters,
  cardinality,
  choice,
  contains,
  decode,
  encode,
  flatten,
  fromUnit,
  int,
  isComplete,
  logUniform,
  spaceSize,
  toUnit,
  uniform,
  valueAt,
  when,
  type Distribution,
  type ParamsOf,
} from "../../lib/tune/space/index.js";
import { drawParams } from "../../lib/tune/samplers/random.js";
import { points } from "../../lib/tune/samplers/distinct.js";

const nested = {
  lr: logUniform(1e-5, 1e-1),
  optimizer: choice(["sgd", "adam", "lion"]),
  settings: when("optimizer", {
    sgd: { momentum: uniform(0, 0.99), nesterov: choice([true, false]) },
    adam: { beta1: uniform(0.8, 0.99), more: when("nesterov2", { true: { beta2: uniform(0.9, 1) } }), nesterov2: choice([true, false]) }, // prettier-ignore
  }),
  layers: int(1, 3),
  widths: when("layers", { 1: { a: int(8, 16) }, 2: { a: int(8, 16), b: int(8, 16) } }),
  group: { seed: int(0, 9), sizes: choice([[64], [64, 32]]) },
};

const distributions: fc.Arbitrary<Distribution> = fc.oneof(
  fc.tuple(fc.integer({ min: -50, max: 50 }), fc.nat(60)).map(([low, more]) => uniform(low, low + more)),
  fc
    .tuple(fc.integer({ min: -50, max: 50 }), fc.nat(60), fc.integer({ min: 1, max: 9 }))
    .map(([low, more, step]) => uniform(low / 8, (low + more) / 8, { step: step / 8 })),
  fc.tuple(fc.integer({ min: 1, max: 50 }), fc.nat(60)).map(([low, more]) => logUniform(low / 1000, (low + more) / 10)),
  fc
    .tuple(fc.integer({ min: -50, max: 50 }), fc.nat(60), fc.integer({ min: 1, max: 9 }))
    .map(([low, more, step]) => int(low, low + more, { step })),
  fc.tuple(fc.integer({ min: 1, max: 50 }), fc.nat(600)).map(([low, more]) => int(low, low + more, { log: true })),
  fc.integer({ min: 1, max: 9 }).map((n) => choice(Array.from({ length: n }, (_, i) => `v${i}`))),
);

describe("distributions", () => {
  it("fromUnit gives values of the distribution, and toUnit comes back to the same value", () => {
    fc.assert(
      fc.property(distributions, fc.double({ min: 0, max: 1, noNaN: true }), (distribution, u) => {
        const value = fromUnit(distribution, u);
        expect(contains(distribution, value)).toBe(true);
        const back = fromUnit(distribution, toUnit(distribution, value));
        expect(back).toBeCloseTo(value, 9);
      }),
    );
  });

  it("every value of a finite one is there once, and is reached from an interval of [0, 1)", () => {
    fc.assert(
      fc.property(distributions, (distribution) => {
        const n = cardinality(distribution);
        fc.pre(n !== Infinity);
        const values = Array.from({ length: n }, (_, i) => valueAt(distribution, i));
        expect(new Set(values).size).toBe(n);
        for (const value of values) {
          expect(contains(distribution, value)).toBe(true);
          expect(fromUnit(distribution, toUnit(distribution, value))).toBe(value);
        }
      }),
    );
  });

  it("a logarithmic range gives each decade the same share", () => {
    const at = (u: number) => fromUnit(logUniform(1e-4, 1), u);
    expect(at(0.25)).toBeCloseTo(1e-3, 12);
    expect(at(0.5)).toBeCloseTo(1e-2, 12);
    expect(at(0.75)).toBeCloseTo(1e-1, 12);
  });

  it.each([
    [() => uniform(1, 0), /tune\.uniform: expected two finite numbers, the lower first, got 1 and 0/],
    [() => uniform(0, Infinity), /tune\.uniform: .* got 0 and Infinity/],
    [() => uniform(-1.5e308, 1.5e308), /tune\.uniform/],
    [() => uniform(0, 1, { step: 0 }), /positive step/],
    [() => logUniform(0, 1), /above 0, got 0; use tune\.uniform/],
    [() => int(0.5, 2), /whole numbers/],
    [() => int(1, 8, { step: 2, log: true }), /exclude each other/],
    [() => int(0, 8, { log: true }), /1 or more with log/],
    [() => choice([]), /at least one value, got an empty array/],
    [() => choice([1, 2, 1]), /1 is in the list twice/],
    [() => choice([() => 1] as never), /got a function/],
    [() => int(1, 8, { steps: 2 } as never), /unknown option "steps", did you mean "step"/],
    [() => flatten({ lr: 0.1 } as never), /"lr": expected a distribution.*got 0\.1; write tune\.choice/],
    [() => flatten({ a: when("b", {}) }), /names "b", which is no parameter/],
    [
      () => flatten({ opt: choice(["sgd"]), a: when("opt", { sdg: {} }) }),
      /"sdg" is not a value of "opt".*did you mean "sgd"/,
    ],
    [() => flatten({ x: uniform(0, 1), a: when("x", { 1: {} }) }), /needs a choice or a whole number/],
    [() => flatten({ "a.b": uniform(0, 1) }), /without dots/],
  ])("refuses with a sentence: %s", (make, message) => {
    expect(make).toThrow(ArgumentError);
    expect(make).toThrow(message);
  });
});

describe("flattened spaces", () => {
  const space = flatten(nested);

  it("every parameter stands after those that its conditions name", () => {
    const names = space.parameters.map(({ name }) => name);
    for (const [i, { conditions }] of space.parameters.entries()) {
      for (const { on } of conditions) expect(names.indexOf(on)).toBeLessThan(i);
    }
    expect(names).toContain("settings.adam.more.true.beta2");
    expect(new Set(names).size).toBe(names.length);
  });

  it("only parameters of the chosen branches are active, at any depth", () => {
    const active = (params: Record<string, number>) => activeParameters(space, params).map(({ name }) => name);
    expect(active({ optimizer: 2, layers: 3 })).toEqual(["lr", "optimizer", "layers", "group.seed", "group.sizes"]);
    expect(active({ optimizer: 1, "settings.adam.nesterov2": 0, layers: 1 })).toEqual([
      "lr",
      "optimizer",
      "layers",
      "settings.adam.beta1",
      "settings.adam.nesterov2",
      "settings.adam.more.true.beta2",
      "widths.1.a",
      "group.seed",
      "group.sizes",
    ]);
    // A value of a parameter that is not active switches nothing on.
    expect(active({ optimizer: 0, "settings.adam.nesterov2": 0, layers: 3 })).not.toContain(
      "settings.adam.more.true.beta2",
    );
  });

  it("random draws are complete, and encode is the inverse of decode", () => {
    for (let number = 0; number < 200; number++) {
      const params = drawParams(space, 7, number);
      expect(isComplete(space, params)).toBe(true);
      expect(encode("test", space, decode(space, params))).toEqual(params);
    }
  });

  it("counts the points of a finite space as going through them does", () => {
    const finite = flatten({
      a: choice(["x", "y", "z"]),
      b: when("a", { x: { c: int(1, 3), d: when("c", { 2: { e: int(1, 5) } }) }, y: { f: choice([1, 2]) } }),
      g: int(0, 1),
    });
    expect(spaceSize(finite)).toBe(20); // (1 + 5 + 1) + 2 + 1, twice
    expect([...points(finite)]).toHaveLength(20);
    expect(new Set([...points(finite)].map((point) => JSON.stringify(point))).size).toBe(20);
    expect(spaceSize(space)).toBe(Infinity);
  });

  it.each([
    [{ lr: 1 }, /"lr": expected a number from 0.00001 to 0.1, got 1/],
    [{ optimizer: "rmsprop" }, /"optimizer": expected one of "sgd", "adam", "lion", got "rmsprop"/],
    [{ optimizer: "sgd", settings: { beta1: 0.9 } }, /"settings\.beta1" belongs to a branch/],
    [{ learning: 1 }, /unknown parameter "learning"/],
  ])("encode refuses with a sentence: %j", (given, message) => {
    expect(() => encode("study.enqueue", space, given)).toThrow(message);
  });

  it("types: a value of a choice tells the branch", () => {
    type P = ParamsOf<typeof nested>;
    expectTypeOf<P["lr"]>().toEqualTypeOf<number>();
    expectTypeOf<P["optimizer"]>().toEqualTypeOf<"sgd" | "adam" | "lion">();
    expectTypeOf<P["group"]["sizes"]>().toEqualTypeOf<readonly [64] | readonly [64, 32]>();
    const read = (params: P): number => {
      if (params.optimizer === "sgd") return params.settings.momentum;
      if (params.optimizer === "adam") return params.settings.beta1;
      // @ts-expect-error there is no branch for "lion"
      return params.settings.beta1 as number;
    };
    expect(read).toBeTypeOf("function");
  });
});
