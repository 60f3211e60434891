// Every stored operation of PyTorch: results and gradients in float32, on every instruction set, against float64.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { addon } from "../../lib/native/index.js";
import * as nn from "../../lib/nn/index.js";
import * as ops from "../../lib/ops/index.js";
import { array, compile, type NdArray, type Ordered, type Tensor } from "../../lib/tensor/index.js";
import { tolerances } from "../tolerances.js";
import { distance } from "./compare.js";
import { readGolden, type GoldenTensor, type OperationCase } from "./read.js";

const golden = readGolden("operations");

type Options = Readonly<Record<string, unknown>>;
type Inputs = Readonly<Record<string, Tensor>>;

/** Our words for PyTorch's options; what is undefined is left out. */
const renamed = (options: Options, names: Readonly<Record<string, string>>) =>
  Object.fromEntries(
    Object.entries(options).flatMap(([name, value]) => (names[name] === undefined ? [] : [[names[name], value]])),
  );

const poolNames = { kernel_size: "kernel", stride: "stride", padding: "padding", count_include_pad: "countPadding" };
const convNames = { stride: "stride", padding: "padding", dilation: "dilation", groups: "groups" };
const lossNames = { reduction: "reduction", label_smoothing: "labelSmoothing", ignore_index: "ignoreIndex" };

const inOrder = ({ values, indices }: Ordered) => ({ y: values, places: indices });

/** Each operation as its user would write it; the first result is y. */
const run: Record<string, (inputs: Inputs, options: Options) => Record<string, Tensor>> = {
  gelu: ({ x }, o) => ({ y: x!.gelu(o.approximate === "tanh" ? "tanh" : "erf") }),
  silu: ({ x }) => ({ y: x!.silu() }),
  elu: ({ x }, o) => ({ y: ops.elu(x!, o.alpha as number) }),
  softplus: ({ x }) => ({ y: x!.softplus() }),
  softmax: ({ x }, o) => ({ y: x!.softmax(o.axis as number) }),
  logSoftmax: ({ x }, o) => ({ y: x!.logSoftmax(o.axis as number) }),
  crossEntropy: ({ logits, target }, o) => ({ y: ops.crossEntropy(logits!, target!, renamed(o, lossNames)) }),
  layerNorm: ({ x, weight, bias }, o) => ({ y: ops.layerNorm(x!, weight!, bias!, o) }),
  rmsNorm: ({ x, weight }, o) => ({ y: ops.rmsNorm(x!, weight!, o) }),
  maxPool2d: ({ x }, o) => ({ y: ops.maxPool2d(x!, renamed(o, poolNames) as never) }),
  avgPool2d: ({ x }, o) => ({ y: ops.avgPool2d(x!, renamed(o, poolNames) as never) }),
  conv2d: ({ x, weight, bias }, o) => ({ y: ops.conv2d(x!, weight!, { ...renamed(o, convNames), bias }) }),
  attention: ({ q, k, v }, o) => ({
    y: ops.attention(q!, k!, v!, renamed(o, { is_causal: "causal", scale: "scale" })),
  }),
  softsign: ({ x }) => ({ y: x!.softsign() }),
  hardswish: ({ x }) => ({ y: x!.hardswish() }),
  mish: ({ x }) => ({ y: x!.mish() }),
  selu: ({ x }) => ({ y: x!.selu() }),
  cumsum: ({ x }, { axis, ...o }) => ({ y: x!.cumsum(axis as number, o) }),
  sort: ({ x }, { axis, ...o }) => inOrder(x!.sort(axis as number, o)),
  topk: ({ x }, { axis, k, ...o }) => inOrder(x!.topk(k as number, axis as number, o)),
  einsum: (inputs, o) => ({ y: ops.einsum(o.equation as string, ...Object.keys(inputs).sort().map((name) => inputs[name]!)) }), // prettier-ignore
  embedding: ({ table, index }) => ({ y: ops.embedding(table!, index!) }),
  gather: ({ x, index }, o) => ({ y: x!.gather(o.axis as number, index as never) }),
  scatterAdd: ({ x, index, source }, o) => ({ y: x!.scatterAdd(o.axis as number, index as never, source!) }),
};

const hosted = ({ data, shape }: GoldenTensor): NdArray => array(data, shape);

/** Inputs that have a gradient, and the others. */
function inputsOf(test: OperationCase) {
  const wanted: Record<string, NdArray> = {};
  const fixed: Record<string, NdArray> = {};
  for (const [name, key] of Object.entries(test.inputs)) {
    (name in test.gradients ? wanted : fixed)[name] = hosted(golden.tensor(key));
  }
  return { wanted, fixed };
}

/** y (and what else there is) with the gradients of Σ y · dy. */
function compiled(test: OperationCase, call: (inputs: Inputs) => Record<string, Tensor>) {
  const names = Object.keys(test.gradients);
  return compile((wanted: Record<string, Tensor>, fixed: Record<string, Tensor>, dy: Tensor) => {
    const outputs = call({ ...wanted, ...fixed });
    const total = outputs.y!.mul(dy).sum();
    const found = total.trace.gradients(
      total,
      names.map((name) => wanted[name]!),
    );
    return { outputs, gradients: Object.fromEntries(names.map((name, i) => [name, found[i]!])) };
  });
}

const cases = golden.record.cases.filter(({ op }) => op !== "batchNorm");
const norms = golden.record.cases.filter(({ op }) => op === "batchNorm");

describe.each(addon.isas())("on %s", (isa) => {
  const before = addon.isa();
  beforeAll(() => addon.setIsa(isa));
  afterAll(() => addon.setIsa(before));

  function check(name: string, got: NdArray | undefined, key: string) {
    const off = got === undefined ? Infinity : distance(got, golden.tensor(key));
    expect(off, `${name}: distance as a share of the largest value`).toBeLessThanOrEqual(tolerances.f32.relative);
  }

  it.each(cases.map((test) => [test.name, test] as const))("%s", async (name, test) => {
    const { wanted, fixed } = inputsOf(test);
    const f = compiled(test, (inputs) => run[test.op]!(inputs, test.options));
    const { outputs, gradients } = await f.run(wanted, fixed, hosted(golden.tensor(test.dy)));
    for (const [output, key] of Object.entries(test.outputs)) check(`${name} ${output}`, outputs[output], key);
    for (const [input, key] of Object.entries(test.gradients)) check(`${name} d${input}`, gradients[input], key);
    f.dispose();
  });

  it.each(norms.map((test) => [test.name, test] as const))("%s, as a layer", async (name, test) => {
    const { eps, momentum, training } = test.options as { eps: number; momentum: number; training: boolean };
    const input = (key: string) => hosted(golden.tensor(test.inputs[key]!));
    const layer = nn.batchNorm(input("weight").size, { eps, momentum });
    for (const key of ["weight", "bias", "runningMean", "runningVar"] as const) layer[key].write(input(key));
    const f = compile(
      (x: Tensor, dy: Tensor) => {
        const y = layer.forward(x);
        const leaves = [x, layer.weight.tensor(), layer.bias.tensor()];
        const [dx, weight, bias] = x.trace.gradients(y.mul(dy).sum(), leaves);
        return { y, x: dx!, weight: weight!, bias: bias! };
      },
      { training },
    );
    const got = await f.run(input("x"), hosted(golden.tensor(test.dy)));
    check(`${name} y`, got.y, test.outputs.y!);
    for (const key of ["x", "weight", "bias"] as const) check(`${name} d${key}`, got[key], test.gradients[key]!);
    for (const key of ["runningMean", "runningVar"] as const) check(key, await layer[key].read(), test.outputs[key]!);
    f.dispose();
    layer.dispose();
  });
});
