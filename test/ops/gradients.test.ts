// Gradients beside central differences of the float64 reference: directional derivatives along seeded directions, for every
// operand by itself; then gradients of gradients beside second differences, where an operation offers them.
import { describe, expect, it } from "vitest";
import { addon, type NativeAttrs } from "../../lib/native/index.js";
import type { OpName } from "../../lib/native/operations.js";
import type { Tensor } from "../../lib/tensor/index.js";
import type { Trace } from "../../lib/tensor/trace.js";
import { gradientTolerances } from "../tolerances.js";
import { evaluate, plain, settingsOf, show, testedDevice, type Setting } from "./engine.js";
import type { OpSpec, Sample } from "./spec.js";
import { specs } from "./specs/index.js";
import { uniform, type Value } from "./value.js";

const settings: readonly Setting[] = testedDevice
  ? settingsOf(testedDevice)
  : [plain, { isa: addon.isas().at(-1)!, threads: 2, optimize: false }];

/** What is differentiated: the sum of the first result's elements, each with a weight of its own. */
interface Problem {
  readonly op: OpName;
  readonly spec: OpSpec;
  readonly sample: Sample;
  readonly weights: Value;
  /** Operands whose gradient is asked for. */
  readonly wrt: readonly number[];
}

function problemOf(op: OpName, spec: OpSpec, sample: Sample): Problem {
  const [y] = spec.reference(sample.inputs, sample.attrs ?? {});
  return { op, spec, sample, weights: uniform(y!.shape, 0.5, 2, y!.dtype), wrt: spec.gradients!.inputs };
}

/** The float64 value at the sample's operands moved by a sum of steps along directions. */
function valueAt(problem: Problem, moves: readonly { along: readonly Value[]; step: number }[]): number {
  const { sample, spec, weights, wrt } = problem;
  const inputs = sample.inputs.map((x, i) => {
    const at = wrt.indexOf(i);
    if (at < 0) return x;
    return {
      ...x,
      data: x.data.map((e, k) => moves.reduce((sum, { along, step }) => sum + step * along[at]!.data[k]!, e)),
    };
  });
  const reference = spec.gradients!.reference ?? spec.reference;
  const [y] = reference(inputs, sample.attrs ?? {});
  return y!.data.reduce((sum, e, k) => sum + e * weights.data[k]!, 0);
}

const lossOf = (
  trace: Trace,
  op: OpName,
  attrs: NativeAttrs | undefined,
  inputs: readonly Tensor[],
  weights: Tensor,
): Tensor => trace.apply(op, inputs, attrs).mul(weights).sum();

function gradientsOf({ op, sample, weights, wrt }: Problem, setting: Setting): Value[] {
  return evaluate(
    [...sample.inputs, weights],
    (trace, tensors) => {
      const inputs = tensors.slice(0, -1);
      const loss = lossOf(trace, op, sample.attrs, inputs, tensors.at(-1)!);
      return trace.gradients(
        loss,
        wrt.map((i) => inputs[i]!),
      );
    },
    setting,
  );
}

/** Gradients of Σ gradient · along. */
function secondGradientsOf({ op, sample, weights, wrt }: Problem, along: readonly Value[], setting: Setting): Value[] {
  const count = sample.inputs.length;
  return evaluate(
    [...sample.inputs, weights, ...along],
    (trace, tensors) => {
      const inputs = tensors.slice(0, count);
      const targets = wrt.map((i) => inputs[i]!);
      const first = trace.gradients(lossOf(trace, op, sample.attrs, inputs, tensors[count]!), targets);
      const sums = first.map((gradient, i) => gradient.mul(tensors[count + 1 + i]!).sum());
      return trace.gradients(
        sums.reduce((a, b) => a.add(b)),
        targets,
      );
    },
    setting,
  );
}

/** Directions: along one operand at a time and zero along the others; then along all at once. */
function directionsOf({ sample, wrt }: Problem): Value[][] {
  const shapes = wrt.map((i) => sample.inputs[i]!);
  const draw = (x: Value): Value => uniform(x.shape, -1, 1, x.dtype);
  const still = (x: Value): Value => ({ ...x, data: new Float64Array(x.data.length) });
  const alone = shapes.flatMap((_, k) => [0, 1].map(() => shapes.map((x, i) => (i === k ? draw(x) : still(x)))));
  return [...alone, shapes.map(draw)];
}

const precisionOf = ({ sample, weights, wrt }: Problem): "f32" | "f64" =>
  [weights, ...wrt.map((i) => sample.inputs[i]!)].every(({ dtype }) => dtype === "f64") ? "f64" : "f32";

function expectSlope(
  where: string,
  gradient: readonly Value[],
  along: readonly Value[],
  want: number,
  tolerance: number,
): void {
  let got = 0;
  let scale = 0;
  gradient.forEach((g, i) => {
    g.data.forEach((e, k) => {
      got += e * along[i]!.data[k]!;
      // Where terms of size 1 cancel, their rounding stays.
      scale += (Math.abs(e) + 0.01) * Math.abs(along[i]!.data[k]!);
    });
  });
  const error = Math.abs(got - want) / (tolerance * scale || 1);
  if (!(error <= 1))
    expect.fail(`${where}: the slope is ${got}, differences say ${want} (${error} times the tolerance)`);
}

function checkFirst(problem: Problem, setting: Setting): void {
  const gradient = gradientsOf(problem, setting);
  const h = 1e-5;
  gradient.forEach((g, k) =>
    expect(g.shape, `${problem.op}: a gradient's shape`).toEqual(problem.sample.inputs[problem.wrt[k]!]!.shape),
  );
  for (const along of directionsOf(problem)) {
    const want = (valueAt(problem, [{ along, step: h }]) - valueAt(problem, [{ along, step: -h }])) / (2 * h);
    const where = `${problem.op} ${problem.sample.name} (${show(setting)})`;
    expectSlope(where, gradient, along, want, gradientTolerances.first[precisionOf(problem)]);
  }
}

function checkSecond(problem: Problem, setting: Setting): void {
  const h = 1e-3;
  const first = directionsOf(problem).at(-1)!;
  const gradient = secondGradientsOf(problem, first, setting);
  for (const along of directionsOf(problem)) {
    const at = (a: number, b: number) =>
      valueAt(problem, [
        { along: first, step: a * h },
        { along, step: b * h },
      ]);
    const want = (at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1)) / (4 * h * h);
    const where = `${problem.op} ${problem.sample.name}, twice (${show(setting)})`;
    expectSlope(where, gradient, along, want, gradientTolerances.second[precisionOf(problem)]);
  }
}

for (const [name, spec] of Object.entries(specs)) {
  if (spec.kind !== "operation" || !("gradients" in spec)) continue;
  const checked: OpSpec = spec;
  const op = name as OpName;
  const problems = () => checked.gradients!.samples().map((sample) => problemOf(op, checked, sample));
  describe(op, () => {
    it("has the gradient that differences of the reference show", () => {
      for (const problem of problems()) for (const setting of settings) checkFirst(problem, setting);
    });
    if (!checked.gradients!.twice) return;
    it("has the second gradient that they show", () => {
      for (const problem of problems()) for (const setting of settings) checkSecond(problem, setting);
    });
  });
}
