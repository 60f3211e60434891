// Operands that operations refuse: the very sentence and code. Types are refused while tracing, indices while running.
import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { adopt, type AthanorError } from "../../lib/errors.js";
import { addon, type NativeAttrs } from "../../lib/native/index.js";
import { operations, type OpName } from "../../lib/native/operations.js";
import { applying, evaluate, settings } from "./engine.js";
import { typed, type OpSpec, type Refusal, type Typed } from "./spec.js";
import { specs } from "./specs/index.js";
import { countOf, type Value } from "./value.js";

const isValue = (input: Typed | Value): input is Value => "data" in input;

function thrownBy(body: () => unknown): AthanorError {
  try {
    body();
  } catch (thrown) {
    return adopt(thrown) as AthanorError;
  }
  return expect.fail("nothing was thrown");
}

const zeros = ({ dtype, shape }: Typed): Value => ({ dtype, shape, data: new Float64Array(countOf(shape)) });

function check(op: OpName, { inputs, attrs, code, message }: Refusal): void {
  const values = inputs.map((input) => (isValue(input) ? input : zeros(input)));
  const running = inputs.some(isValue);
  for (const setting of running ? settings : settings.slice(0, 1)) {
    const error = thrownBy(() => evaluate(values, applying(op, attrs), setting));
    expect(error.message).toBe(message);
    expect(error.code).toBe(code);
  }
}

for (const [name, spec] of Object.entries(specs)) {
  if (spec.kind !== "operation" || !("errors" in spec)) continue;
  const checked: OpSpec = spec;
  const op = name as OpName;
  describe(op, () => {
    for (const refusal of checked.errors!) it(`refuses: ${refusal.message}`, () => check(op, refusal));
  });
}

describe("every operation", () => {
  it("is in the addon, and no other", () => {
    expect(new Set(addon.opNames())).toEqual(new Set(Object.keys(operations)));
  });

  it("that is covered elsewhere names a test that is there", () => {
    for (const [name, spec] of Object.entries(specs)) {
      if (spec.kind === "elsewhere") expect(existsSync(new URL(`../../${spec.by}`, import.meta.url)), name).toBe(true);
    }
  });

  it("refuses another number of operands", () => {
    for (const [name, { arity, traits }] of Object.entries(operations)) {
      const kinds: readonly string[] = traits;
      if (arity === "variadic" || kinds.some((kind) => ["effect", "source", "collective", "wait"].includes(kind)))
        continue;
      const given = Array.from({ length: arity + 1 }, () => zeros(typed("f32", 1)));
      const error = thrownBy(() => evaluate(given, applying(name as OpName, {})));
      expect(error.message).toBe(`${name}: takes ${arity} operands, got ${arity + 1}`);
      expect(error.code).toBe("ERR_ATHANOR_ARGUMENT");
    }
  });

  // Whoever writes a graph by hand (an artifact is such a graph) gets an error for operands that do not belong together.
  it("ends in a result or an error whatever it is given", () => {
    const shapes = [[], [0], [3], [2, 3], [1, 2, 3], [2, 2, 3, 3], [1, 0, 2, 2], [1, 1, 2, 0]];
    const dtypes = ["f32", "i32"] as const;
    const attrs: readonly NativeAttrs[] = [
      {},
      {
        axis: 0,
        rows: 2,
        shape: [2, 2, 3, 3],
        kernel: [2, 2],
        heads: 1,
        order: [0],
        low: [0],
        high: [0],
        classes: 3,
        dtype: "f32",
        start: [0],
        stop: [1],
        n: 3,
        key: 1,
      },
      {
        axis: 7,
        rows: -1,
        shape: [-2],
        kernel: [0, 0],
        heads: -1,
        order: [9],
        low: [-1],
        high: [9],
        classes: -3,
        dtype: "x",
        start: [9],
        stop: [-9],
        n: -3,
        key: -1,
      },
    ];
    for (const [name, { arity, traits }] of Object.entries(operations)) {
      const kinds: readonly string[] = traits;
      if (kinds.some((kind) => ["effect", "source", "collective", "wait"].includes(kind))) continue;
      for (const attr of attrs) {
        for (const shape of shapes) {
          for (const dtype of dtypes) {
            const count = arity === "variadic" ? 3 : arity;
            const alike = Array.from({ length: count }, () => zeros({ dtype, shape }));
            const mixed = alike.map((x, i) => (i === 1 ? zeros(typed("i32", 2)) : x));
            for (const inputs of [alike, mixed]) {
              try {
                evaluate(inputs, applying(name as OpName, attr));
              } catch (thrown) {
                expect((adopt(thrown) as AthanorError).code, `${name}: ${String(thrown)}`).toMatch(
                  /^ERR_ATHANOR_(SHAPE|DTYPE|ARGUMENT|UNSUPPORTED|INTERNAL)$/,
                );
              }
            }
          }
        }
      }
    }
  });
});
