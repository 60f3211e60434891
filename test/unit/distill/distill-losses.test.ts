// Closed forms of the losses of distillation, their edges, and what they refuse. Beside PyTorch: test/golden/distillation.test.ts.
import { describe, expect, it } from "vitest";
import { array, compile, distill, valueAndGrad, type NdArray, type Tensor } from "../../../lib/index.js";

const { losses } = distill;
type Loss = (student: Tensor, teacher: Tensor) => Tensor;

const labels = array(Int32Array.of(0, 2, 1));
const onScores: Record<string, Loss> = {
  kd: (s, t) => losses.kd(s, t, { temperature: 2 }),
  reverse: (s, t) => losses.kd(s, t, { divergence: "reverse" }),
  jensenShannon: (s, t) => losses.kd(s, t, { divergence: "jensenShannon" }),
  dkd: (s, t) => losses.dkd(s, t, s.trace.constant(labels)),
  dist: (s, t) => losses.dist(s, t),
  standardized: (s, t) => losses.kd(losses.standardize(s), losses.standardize(t)),
};
const onFeatures: Record<string, Loss> = {
  hint: losses.hint,
  attentionTransfer: losses.attentionTransfer,
  rkd: losses.rkd,
  similarity: losses.similarity,
  fsp: (s, t) => losses.fsp([s, s], [t, t]),
};

async function measured(loss: Loss, student: NdArray, teacher: NdArray) {
  const f = compile((s: Tensor, t: Tensor) => valueAndGrad((x: Tensor) => loss(x, t))(s));
  const { value, gradient } = await f.run(student, teacher);
  return { value: value.item(), gradient: Array.from(gradient.data as Float32Array) };
}
const drawn = (shape: readonly number[], scale = 1, from = 0) =>
  array(
    Float32Array.from(
      { length: shape.reduce((a, b) => a * b, 1) },
      (_, i) => scale * Math.sin((i + from) * (i + from) + 1),
    ),
    shape,
  );

describe("losses of distillation", () => {
  it.each(Object.entries(onScores))(
    "%s is 0 without a slope for a student that equals its teacher",
    async (_, loss) => {
      const scores = drawn([3, 4], 2);
      const { value, gradient } = await measured(loss, scores, scores);
      expect(Math.abs(value)).toBeLessThan(1e-6);
      for (const slope of gradient) expect(Math.abs(slope)).toBeLessThan(1e-6);
    },
  );

  it.each(Object.entries(onFeatures))("%s likewise", async (_, loss) => {
    const images = drawn([3, 2, 2, 2]);
    const { value, gradient } = await measured(loss, images, images);
    expect(Math.abs(value)).toBeLessThan(1e-6);
    for (const slope of gradient) expect(Math.abs(slope)).toBeLessThan(1e-5);
  });

  it("the gradient of kd is T (q − p) / rows, its value softCrossEntropy less T² times the teacher's entropy", async () => {
    const [student, teacher, T] = [drawn([3, 4], 2), drawn([3, 4], 3, 50), 2.5];
    const { value, gradient } = await measured((s, t) => losses.kd(s, t, { temperature: T }), student, teacher);
    const softmax = (scores: NdArray, row: number) => {
      const powers = [0, 1, 2, 3].map((c) => Math.exp(scores.data[row * 4 + c]! / T));
      return powers.map((power) => power / powers.reduce((a, b) => a + b));
    };
    let entropy = 0;
    for (let row = 0; row < 3; row++) {
      const [p, q] = [softmax(teacher, row), softmax(student, row)];
      p.forEach((_, c) => expect(gradient[row * 4 + c]).toBeCloseTo((T * (q[c]! - p[c]!)) / 3, 6));
      entropy -= p.reduce((sum, share) => sum + share * Math.log(share), 0) / 3;
    }
    const soft = await measured((s, t) => losses.softCrossEntropy(s, t, { temperature: T }), student, teacher);
    expect(soft.value - value).toBeCloseTo(T * T * entropy, 5);
    soft.gradient.forEach((slope, i) => expect(slope).toBeCloseTo(gradient[i]!, 6));
  });

  it.each(Object.entries(onScores))("%s stays finite for scores that are sure of different things", async (_, loss) => {
    const student = array([300, -300, 0, 0, 0, 0, 0, 0, -500, 0, 500, 1], [3, 4]);
    const teacher = array([-300, 300, 0, 0, 9, 9, 9, 9, 500, 0, -500, 1], [3, 4]);
    const { value, gradient } = await measured(loss, student, teacher);
    for (const number of [value, ...gradient]) expect(number).not.toSatisfy((n: number) => !Number.isFinite(n));
  });

  it.each(Object.entries(onFeatures))("%s stays finite for features that are 0, or all alike", async (_, loss) => {
    for (const constant of [0, 1]) {
      const flat = array(new Float32Array(24).fill(constant), [3, 2, 2, 2]);
      const { value, gradient } = await measured(loss, flat, drawn([3, 2, 2, 2]));
      for (const number of [value, ...gradient]) expect(number).not.toSatisfy((n: number) => !Number.isFinite(n));
    }
  });

  it("a batch of one sample has no relations", async () => {
    const { value, gradient } = await measured(losses.rkd, drawn([1, 6]), drawn([1, 3]));
    expect([value, ...gradient].every((number) => Math.abs(number) === 0)).toBe(true);
  });

  it.each<[string, Loss, readonly number[], readonly number[], RegExp]>([
    ["scores of other classes", onScores.kd!, [3, 4], [3, 5], /one shape \[…, classes\], got \[3, 4\] and \[3, 5\]/],
    ["hints of other widths", onFeatures.hint!, [3, 4], [3, 5], /features must have one shape/],
    ["other batches", onFeatures.similarity!, [3, 4], [2, 4], /of the same samples/],
    ["attention of vectors", onFeatures.attentionTransfer!, [3, 4], [3, 4], /images \[N, C, H, W\] or tokens/],
    ["attention of other places", onFeatures.attentionTransfer!, [3, 2, 4], [3, 3, 4], /as many places.*got 2 and 3/],
    ["flows of other widths", onFeatures.fsp!, [3, 2, 2, 2], [3, 3, 2, 2], /same widths, got 2 to 2 and 3 to 3/],
    ["labels of other rows", onScores.dkd!, [2, 4], [2, 4], /labels \[3\] do not fit scores \[2, 4\]/],
    ["a single class", onScores.standardized!, [3, 1], [3, 1], /at least 2 classes/],
  ])("refuses %s", async (_, loss, student, teacher, message) => {
    await expect(measured(loss, drawn(student), drawn(teacher))).rejects.toThrow(message);
  });
});
