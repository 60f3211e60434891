// Layers paired by what they give.
import { describe, expect, it } from "vitest";
import { array, distill, nn, seed, train, type Tensor } from "../../../lib/index.js";

const n = 24;
const x = array(
  Float32Array.from({ length: n * 5 }, (_, i) => Math.sin(i * i)),
  [n, 5],
);
const net = (width: number, at: number) => {
  seed(at);
  return nn.sequential(nn.linear(5, width), nn.tanh(), nn.linear(width, width), nn.tanh(), nn.linear(width, 3));
};

describe("distill.matchLayers", () => {
  it("finds a copy's layers again, whatever their scale", async () => {
    const teacher = net(8, 1);
    const student = nn.sequential(...teacher.layers.slice(0, 4), (y: Tensor) => y.mul(-3));
    const matches = await distill.matchLayers(student, teacher, x);
    expect(matches.map((match) => [match.student, match.teacher])).toEqual([
      ["0", "0"],
      ["1", "1"],
      ["2", "2"],
      ["3", "3"],
      ["4", "3"],
    ]);
    for (const { similarity } of matches) expect(similarity).toBeCloseTo(1, 5);
  });

  it("is linear CKA, in float64", async () => {
    const [teacher, student] = [net(8, 1), net(4, 2)];
    const features = async (model: nn.Sequential, depth: number) => {
      const part = nn.sequential(...model.layers.slice(0, depth + 1));
      const y = await train.predict(part, x);
      return Array.from({ length: n }, (_, i) =>
        Array.from({ length: y.shape[1]! }, (_, j) => y.data[i * y.shape[1]! + j]!),
      );
    };
    const cka = (a: number[][], b: number[][]) => {
      const centered = (f: number[][]) => f.map((row) => row.map((v, j) => v - f.reduce((s, r) => s + r[j]!, 0) / n));
      const cross = (p: number[][], q: number[][]) =>
        p[0]!.reduce(
          (sum, _, i) =>
            sum + q[0]!.reduce((s, _, j) => s + p.reduce((t, row, k) => t + row[i]! * q[k]![j]!, 0) ** 2, 0),
          0,
        );
      const [p, q] = [centered(a), centered(b)];
      return cross(p, q) / Math.sqrt(cross(p, p) * cross(q, q));
    };
    const [match] = await distill.matchLayers(student, teacher, x, { layers: ["2"] });
    const mine = await features(student, 2);
    const all = await Promise.all([0, 1, 2, 3, 4].map(async (depth) => cka(mine, await features(teacher, depth))));
    expect(match!.similarity).toBeCloseTo(Math.max(...all), 5);
    expect(match!.teacher).toBe(String(all.indexOf(Math.max(...all))));
  });

  it("refuses a layer that is not there, and a single sample", async () => {
    await expect(distill.matchLayers(net(4, 1), net(8, 2), x, { layers: ["9"] })).rejects.toThrow(
      /no layer "9".*"0", "1"/,
    );
    const one = array(new Float32Array(5), [1, 5]);
    await expect(distill.matchLayers(net(4, 1), net(8, 2), one)).rejects.toThrow(/at least 2 samples/);
  });
});
