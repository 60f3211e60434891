// What a registry promises is there: leaving out a field, a function, a gradient, a spec, a name in TypeScript or a reference is
// told with a sentence. `npm run test:omissions` tries on a copy what only compilers can see.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { addon } from "../../../lib/native/index.js";
import { operations } from "../../../lib/native/operations.js";
import * as athanor from "../../../lib/index.js";
import { kernelTexts, listsIn, missingFunctions, ruleFaults, strayLists } from "../../../scripts/check-registries.mjs";
import { formats } from "../../../scripts/generate/formats.mjs";
import { operationRows } from "../../../scripts/generate/operation-rows.mjs";
import { rules } from "../../../scripts/generate/rules.mjs";
import { operations as special } from "../../ops/special/operations.js";
import { specs } from "../../ops/specs/index.js";

const folder = mkdtempSync(join(tmpdir(), "athanor-registries-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const table = "native/graph/ops.def";
const text = readFileSync(table, "utf8");

/** The rows of a changed copy of a registry. */
function copied<T>(source: string, from: string, to: string, read: (path: string) => T): T {
  const whole = readFileSync(source, "utf8");
  expect(whole).toContain(from);
  const path = join(folder, "copy.def");
  writeFileSync(path, whole.replace(from, to));
  return read(path);
}

describe("a row of the operations", () => {
  const row = 'ATHANOR_OP(mish, 1, kElementwise, zeros, 8, "Tensor.mish", "x tanh(ln(1 + e^x))")';

  it.each([
    ["arity", "1, "],
    ["traits", "kElementwise, "],
    ["pruning", "zeros, "],
    ["flops", "8, "],
    ["api", '"Tensor.mish", '],
    ["sentence", ', "x tanh(ln(1 + e^x))"'],
  ])("without its %s cannot be read", (_, field) => {
    expect(() => copied(table, row, row.replace(field, ""), operationRows)).toThrow(
      "native/graph/ops.def: cannot read the row of mish, expected ATHANOR_OP(name, arity, traits, pruning, flops",
    );
  });

  it.each([
    ["a default", 'ATTR(axis, integer, -1, "") ATTR(descending', 'ATTR(axis, integer, "") ATTR(descending'],
    ["a range", 'ATTR(axis, integer, -1, "") ATTR(descending', "ATTR(axis, integer, -1) ATTR(descending"],
  ])("with an attribute without %s cannot be read", (_, from, to) => {
    expect(() => copied(table, from, to, operationRows)).toThrow('native/graph/ops.def: sort: cannot read "ATTR(axis');
  });

  it("with an attribute of an unknown kind names the kinds", () => {
    expect(() => copied(table, "ATTR(descending, flag", "ATTR(descending, bool", operationRows)).toThrow(
      "sort: descending has the kind bool, expected flag, integer",
    );
  });
});

describe("every operation", () => {
  const rows = operationRows()!;

  it("is the engine's, with its spec and its special points", () => {
    const names = rows.map(({ name }) => name).sort();
    expect(Object.keys(operations).sort()).toEqual(names);
    expect(Object.keys(specs).sort()).toEqual(names);
    expect(Object.keys(special).sort()).toEqual(names);
  });

  it.each(rows.map((row) => [row.name, row] as const))("%s is made by what its row names", (_name, { api }) => {
    if (api === "engine") return;
    const [owner, name] = api.split(".") as [string, string];
    const home = owner === "Tensor" ? athanor.Tensor.prototype : (athanor as unknown as Record<string, unknown>)[owner];
    expect((home as Record<string, unknown>)[name], `${api} of the row in ${table}`).toBeTypeOf("function");
  });

  it("is in the reference", () => {
    const reference = readFileSync("docs/reference/operations.md", "utf8");
    expect(rows.filter(({ name }) => !reference.includes(`| \`${name}\` |`))).toEqual([]);
  });

  it("has the rule that its row asks for", () => {
    for (const row of rows) expect(ruleFaults(row, readFileSync(`native/${row.section}`, "utf8"))).toEqual([]);
  });

  it("without its gradient, its lowering, its instruction or its rule is named", () => {
    const named = (name: string) => rows.find((row) => row.name === name)!;
    const file = (name: string) => readFileSync(`native/${named(name).section}`, "utf8");
    const without = (name: string, from: string, to: string) => {
      expect(file(name)).toContain(from);
      return ruleFaults(named(name), file(name).replace(from, to));
    };
    expect(without("mish", "vjp_unary<d_mish>", "nullptr")[0]).toContain(
      "mish: its rule and its row disagree about a gradient",
    );
    expect(without("mish", ", nullptr, EwOp::mish", "")[0]).toContain(
      "mish: an elementwise row, and no other, names its instruction",
    );
    expect(without("cumsum", ", lower_cumsum", "")).toEqual(["cumsum: its rule has no lowering"]);
    expect(without("cumsum", "rule_cumsum", "rule_other")).toEqual([
      "cumsum: native/ops/order/order.cc has no rule_cumsum",
    ]);
  });
});

describe("every elementwise instruction", () => {
  const instructions = readFileSync("native/kernels/elementwise/elementwise.def", "utf8");
  const texts = kernelTexts();

  it("has its functions on the CPU and the GPU", () => expect(missingFunctions(instructions, texts)).toEqual([]));

  it.each([
    ["f32", /EW_F32\(mish.*\n/, "EW_F32 in elementwise_f32.inl.h"],
    ["plain", /EW_F64\(mish.*\n/, "EW_F64 in elementwise_plain.cc"],
    ["value", /EW_CASE\(mish.*\n/, "f32 EW_CASE in cuda/kernels/elementwise/elementwise_value.cuh"],
    ["f64", /EW_CASE\(mish.*\n/, "EW_CASE in cuda/kernels/elementwise/elementwise_f64.cuh"],
  ] as const)("without one in %s is named", (file, line, what) => {
    const changed = { ...texts, [file]: texts[file].replace(line, "") };
    expect(missingFunctions(instructions, changed)).toEqual([`the elementwise instruction mish has no ${what}`]);
  });
});

describe("rows of formats and update rules", () => {
  it("a format's without one of its fields cannot be read", async () => {
    await expect(
      copied("native/formats/formats.def", "mxfp4, 4, codebook, none, e8m0, 32, e2m1", "mxfp4, 4, codebook, none, e8m0, e2m1", (path) => formats.render(path)),
    ).rejects.toThrow("expected ATHANOR_QUANT_FORMAT(name, bits, kind, zero, scale, block, table); no field can be left out"); // prettier-ignore
  });

  it("an update rule's without a default cannot be read", async () => {
    await expect(
      copied("native/update_rules/rules.def", 'HYPER(lr, 1e-3, "[0, inf)")', 'HYPER(lr, "[0, inf)")', (path) => rules.render(path)),
    ).rejects.toThrow("expected RULE_BEGIN, HYPER, FLAG, STATE, POSITIVE, EXACT, SHAPED, SHARDABLE or RULE_END"); // prettier-ignore
  });
});

describe("lists by hand", () => {
  it("are nowhere", () => expect(strayLists()).toEqual([]));

  it("are found where somebody writes one", () => {
    const known = new Set(Object.keys(operations));
    const lists = [
      'const free = new Set(["exp", "log", "sin",\n "cos"]);',
      "switch (op) {\n case Op::exp:\n case Op::log:\n case Op::sin:\n case Op::cos: return true;\n}",
    ];
    for (const list of lists) expect(listsIn(list, { kind: "Op", known })).toHaveLength(1);
    expect(listsIn('x.trace.apply("exp", [x]);\n', { kind: "Op", known })).toEqual([]);
  });
});

describe("attributes", () => {
  const graph = new addon.Graph();
  const x = graph.input("x", "f32", [4, 3]);

  it.each([
    ["matmul", [x, x], { trans_c: true }, 'matmul: there is no attribute "trans_c"; it has trans_a, trans_b'],
    ["exp", [x], { axis: 0 }, 'exp: there is no attribute "axis"; it has none'],
    ["matmul", [x, x], { trans_a: 1 }, "matmul: trans_a must be true or false, got 1"],
    ["gather", [x, x], {}, 'gather: attribute "axis" is missing, expected a whole number'],
    ["transpose", [x], { order: "ab" }, "transpose: order must be a list of whole numbers, got ab"],
    [
      "conv2d",
      [x, x],
      { stride: [0, 1] },
      "conv2d: stride must be a list of whole numbers, each in [1, 2^30), got [0, 1]",
    ],
    ["layer_norm", [x, x, x], { eps: -1 }, "layer_norm: eps must be a number of 0 or more, got -1"],
    ["cross_entropy", [x, x], { smoothing: 2 }, "cross_entropy: smoothing must be a number from 0 to 1, got 2"],
  ] as const)("of %s that its row does not have are refused", (op, inputs, attrs, message) => {
    expect(() => graph.apply(op, inputs, attrs)).toThrow(message);
  });

  it("have ranges that can be read", () => {
    const ranges = [...text.matchAll(/ATTR\(\w+, (?:integer|real|list), (?:[^"()]|\([^)]*\))*"([^"]*)"\)/g)];
    expect(ranges.length).toBeGreaterThan(60);
    for (const [, range] of ranges) expect(range).toMatch(/^$|^[[(]-?[\w.^]+, -?[\w.^]+[\])]$/);
  });
});
