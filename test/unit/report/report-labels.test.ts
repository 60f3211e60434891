import { describe, expect, it } from "vitest";
import { placeLabels, type Frame, type NamedPoint } from "../../../lib/report/labels.js";

const frame: Frame = { left: 50, right: 520, top: 0, bottom: 280 };
const names = ["mlp", "cnn", "pruned", "int8", "pruned-int8", "int4", "shrunk", "student", "student-alone"];
const size = (text: string) => ({ width: 7 * text.length, height: 12 });

type Rect = readonly [left: number, top: number, right: number, bottom: number];
const around = (x: number, y: number, { width, height }: { width: number; height: number }): Rect => [
  x - width / 2,
  y - height / 2,
  x + width / 2,
  y + height / 2,
];
const meet = (a: Rect, b: Rect) => a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];

function collisions(points: readonly NamedPoint[]): number {
  const labels = placeLabels(points, frame).map(({ x, y }, i) => around(x, y, size(points[i]!.text)));
  const dots = points.map(({ x, y }) => around(x, y, { width: 10, height: 10 }));
  return labels.reduce((sum, label, i) => {
    const others = [...labels.slice(i + 1), ...dots];
    return sum + others.filter((other) => meet(label, other)).length;
  }, 0);
}

describe("names of points", () => {
  it("stand above a point that has room there, without a line", () => {
    expect(placeLabels([{ x: 200, y: 100, text: "cnn" }], frame)).toMatchObject([{ x: 200, endX: 200, endY: 100 }]);
    const [label] = placeLabels([{ x: 200, y: 100, text: "cnn" }], frame);
    expect(label!.y).toBeLessThan(100 - 5 - 6);
  });

  it.each([
    ["a row", (i: number) => [300 + 11 * i, 60]],
    ["a column at the edge", (i: number) => [60, 60 + 11 * i]],
    ["a heap", (i: number) => [400 + 9 * (i % 3), 120 + 9 * Math.floor(i / 3)]],
    ["one spot", () => [250, 150]],
    ["a corner", (i: number) => [515 - 4 * i, 5 + 3 * i]],
  ] as const)("cover nothing where points are %s", (_, at) => {
    const points = names.map((text, i) => ({ x: at(i)[0]!, y: at(i)[1]!, text }));
    expect(collisions(points)).toBe(0);
  });

  it("stay within the frame, and are joined to their points when they move away", () => {
    const points = names.slice(0, 5).map((text, i) => ({ x: 52 + (i % 2), y: 3 + i, text }));
    for (const [i, label] of placeLabels(points, frame).entries()) {
      const [left, top, right, bottom] = around(label.x, label.y, size(points[i]!.text));
      expect(left).toBeGreaterThanOrEqual(frame.left);
      expect(top).toBeGreaterThanOrEqual(frame.top);
      expect(right).toBeLessThanOrEqual(frame.right);
      expect(bottom).toBeLessThanOrEqual(frame.bottom);
      const far = Math.hypot(label.x - points[i]!.x, label.y - points[i]!.y) > size(points[i]!.text).width / 2 + 30;
      if (far) expect([label.endX, label.endY]).not.toEqual([points[i]!.x, points[i]!.y]);
    }
  });

  it("have a place even where there is no room", () => {
    expect(
      placeLabels([{ x: 60, y: 10, text: "a name that is wider than the chart" }], { ...frame, right: 100 }),
    ).toHaveLength(1);
  });
});
