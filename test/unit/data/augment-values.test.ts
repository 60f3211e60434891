// What the engine does to images, beside the formulas in float64: the draws are made again here (Philox keyed by seed, epoch and place), then
// rotation by bilinear interpolation, torchvision's ColorJitter, cutout, mixup and CutMix.
import { describe, expect, it } from "vitest";
import { array, data, loss, metrics, nn, optim, train } from "../../../lib/index.js";
import type { Source } from "../../../lib/data/index.js";
import { philox } from "../../../lib/tune/random/philox.js";

const [seed, epoch] = [11, 3];
const words = (index: number, stream: number) => philox([index, 0, stream, epoch], [seed, 0]);
const unit = (word: number) => word / 2 ** 32;
const below = (word: number, n: number) => Math.floor((word * n) / 2 ** 32);

const [C, H, W] = [3, 7, 9];
const each = C * H * W;
const pixel = (i: number) => (i * 7919 + (i % 13) * 31) % 256;
const bytes = (rows: number) => ({
  x: array(Uint8Array.from({ length: rows * each }, (_, i) => pixel(i)), [rows, C, H, W]),
  y: array(Int32Array.from({ length: rows }, (_, i) => i % 4)),
}); // prettier-ignore
const floats = (rows: number) => ({ ...bytes(rows), x: array(Float32Array.from({ length: rows * each }, (_, i) => pixel(i) / 255), [rows, C, H, W]) }); // prettier-ignore

const all = async (source: Source, skip = 0) => {
  const [x, y]: number[][] = [[], []];
  for await (const chunk of source.read({ seed, epoch, skip })) {
    x!.push(...chunk.x.data);
    y!.push(...chunk.y.data);
  }
  return { x: x!, y: y! };
};

interface Image {
  readonly at: (c: number, i: number, j: number) => number;
}
const imageOf = (x: ArrayLike<number>, row: number): Image => ({
  at: (c, i, j) => x[row * each + (c * H + i) * W + j]!,
});
const map = (of: (c: number, i: number, j: number) => number): number[] =>
  Array.from({ length: each }, (_, k) => of(Math.floor(k / (H * W)), Math.floor((k % (H * W)) / W), k % W));

// Counter-clockwise about the centre; between pixels the four neighbours by their areas, outside of the image `fill`.
function rotated(image: Image, degrees: number, fill: number): number[] {
  const [sine, cosine] = [Math.sin((degrees * Math.PI) / 180), Math.cos((degrees * Math.PI) / 180)];
  const pixelAt = (c: number, i: number, j: number) => (i < 0 || j < 0 || i >= H || j >= W ? fill : image.at(c, i, j));
  return map((c, i, j) => {
    const [dy, dx] = [i - (H - 1) / 2, j - (W - 1) / 2];
    const [y, x] = [(H - 1) / 2 + sine * dx + cosine * dy, (W - 1) / 2 + cosine * dx - sine * dy];
    let sum = 0;
    for (const row of [Math.floor(y), Math.floor(y) + 1])
      for (const column of [Math.floor(x), Math.floor(x) + 1])
        sum += (1 - Math.abs(y - row)) * (1 - Math.abs(x - column)) * pixelAt(c, row, column);
    return sum;
  });
}

const clamp = (value: number) => Math.min(1, Math.max(0, value));
type Pixels = number[]; // (C, H, W), 0 … 1
const grey = (x: Pixels, k: number) => 0.2989 * x[k]! + 0.587 * x[H * W + k]! + 0.114 * x[2 * H * W + k]!;
const blend = (x: Pixels, other: (k: number) => number, factor: number) => x.map((v, k) => clamp(factor * v + (1 - factor) * other(k % (H * W)))); // prettier-ignore
const steps: Record<string, (x: Pixels, amount: number) => Pixels> = {
  brightness: (x, factor) => blend(x, () => 0, factor),
  contrast: (x, factor) => {
    const mean = Array.from({ length: H * W }, (_, k) => grey(x, k)).reduce((a, b) => a + b) / (H * W);
    return blend(x, () => mean, factor);
  },
  saturation: (x, factor) => blend(x, (k) => grey(x, k), factor),
  // torchvision's _rgb2hsv and _hsv2rgb, term by term.
  hue: (x, turn) => {
    const out = [...x];
    for (let k = 0; k < H * W; k++) {
      const [r, g, b] = [x[k]!, x[H * W + k]!, x[2 * H * W + k]!];
      const [most, least] = [Math.max(r, g, b), Math.min(r, g, b)];
      const [range, same] = [most - least, most === least];
      const s = range / (same ? 1 : most);
      const [rc, gc, bc] = [r, g, b].map((v) => (most - v) / (same ? 1 : range)) as [number, number, number];
      const h = (most === r ? bc - gc : 0) + (most === g && most !== r ? 2 + rc - bc : 0) + (most !== g && most !== r ? 4 + gc - rc : 0); // prettier-ignore
      const hue = ((((h / 6 + 1) % 1) + turn) % 1 + 1) % 1; // prettier-ignore
      const i = Math.floor(hue * 6);
      const f = hue * 6 - i;
      const [p, q, t] = [clamp(most * (1 - s)), clamp(most * (1 - s * f)), clamp(most * (1 - s * (1 - f)))];
      const rgb = [[most, t, p], [q, most, p], [p, most, t], [p, q, most], [t, p, most], [most, p, q]][i % 6]!; // prettier-ignore
      rgb.forEach((v, c) => (out[c * H * W + k] = v));
    }
    return out;
  },
};

const stream = 0xa060001;
const [rows, degrees] = [40, 30];
const jitter = { brightness: 0.4, contrast: 0.5, saturation: 0.6, hue: 0.2 };
function jittered(x: Pixels, index: number): Pixels {
  const [c, d] = [words(index, stream + 2), words(index, stream + 3)];
  const order = Object.keys(jitter);
  for (let i = 3; i > 0; i--) {
    const at = below(d[i]!, i + 1);
    [order[i], order[at]] = [order[at]!, order[i]!];
  }
  const between = (word: number, least: number, most: number) => least + unit(word) * (most - least);
  const amounts: Record<string, number> = {
    brightness: between(c[0], 1 - jitter.brightness, 1 + jitter.brightness),
    contrast: between(c[1], 1 - jitter.contrast, 1 + jitter.contrast),
    saturation: between(c[2], 1 - jitter.saturation, 1 + jitter.saturation),
    hue: between(c[3], -jitter.hue, jitter.hue),
  };
  return order.reduce((image, step) => steps[step]!(image, amounts[step]!), x);
}

describe("rotate", () => {
  it.each([0, 0.5])("is by bilinear interpolation about the centre (fill %d)", async (fill) => {
    const { x } = await all(data.stream(floats(rows)).augment({ rotate: degrees, fill }));
    for (let row = 0; row < rows; row++) {
      const angle = -degrees + unit(words(row, stream + 1)[2]) * 2 * degrees;
      const wanted = rotated(imageOf(floats(rows).x.data, row), angle, fill);
      wanted.forEach((value, k) => expect(Math.abs(x[row * each + k]! - value)).toBeLessThan(1e-6));
    }
  });

  it("of bytes rounds to the nearest", async () => {
    const { x } = await all(data.stream(bytes(rows)).augment({ rotate: 180 }));
    for (let row = 0; row < rows; row++) {
      const wanted = rotated(imageOf(bytes(rows).x.data, row), -180 + unit(words(row, stream + 1)[2]) * 360, 0);
      wanted.forEach((value, k) => expect(Math.abs(x[row * each + k]! - value)).toBeLessThanOrEqual(0.5 + 1e-9));
    }
  });
});

describe("jitter", () => {
  it("is torchvision's ColorJitter", async () => {
    const { x } = await all(data.stream(floats(rows)).augment({ jitter }));
    for (let row = 0; row < rows; row++) {
      const wanted = jittered([...floats(rows).x.data.subarray(row * each, (row + 1) * each)], row);
      wanted.forEach((value, k) => expect(Math.abs(x[row * each + k]! - value)).toBeLessThan(1e-6));
    }
  });

  it("comes after rotation and flips, and before the square that is left out", async () => {
    const options = { flip: "leftRight", crop: { padding: 2 }, rotate: degrees, jitter, cutout: 3 } as const;
    const { x } = await all(data.stream(bytes(rows)).augment(options));
    for (let row = 0; row < rows; row++) {
      const [a, b] = [words(row, stream), words(row, stream + 1)];
      const turned = rotated(imageOf(bytes(rows).x.data, row), -degrees + unit(b[2]) * 2 * degrees, 0);
      const [dy, dx] = [below(a[2], 5) - 2, below(a[3], 5) - 2];
      const moved = map((c, i, j) => {
        const [from, at] = [i + dy, (unit(a[0]) < 0.5 ? W - 1 - j : j) + dx];
        return from < 0 || at < 0 || from >= H || at >= W ? 0 : turned[(c * H + from) * W + at]!;
      });
      const colours = jittered(moved.map((v) => v / 255), row).map((v) => v * 255); // prettier-ignore
      const [top, left] = [below(b[0], H) - 1, below(b[1], W) - 1];
      map((c, i, j) => {
        const out = i >= top && i < top + 3 && j >= left && j < left + 3;
        const value = out ? 0 : colours[(c * H + i) * W + j]!;
        expect(Math.abs(x[row * each + (c * H + i) * W + j]! - value)).toBeLessThanOrEqual(0.5 + 1e-9);
        return 0;
      });
    }
  });

  it.each([
    [{ jitter: { hue: 0.7 } }, /jitter\.hue must be a number from 0 to 0\.5/],
    [{ jitter: { brightnes: 1 } }, /did you mean "brightness"/],
    [{ rotate: -3 }, /rotate must be a number of degrees/],
  ])("%j is refused", (options, says) => {
    expect(() => data.stream(bytes(2)).augment(options as never)).toThrow(says);
  });

  it("of saturation takes colours", () => {
    const set = data.fromArrays({ x: array(new Uint8Array(32), [2, 1, 4, 4]), y: array(new Uint8Array(2)) });
    expect(() => data.stream(set).augment({ jitter: { saturation: 1 } })).toThrow(/3 channels, these have 1/);
    expect(() => data.stream(set).augment({ jitter: { contrast: 1 } })).not.toThrow();
  });
});

const blendStream = 0xa060010;
const partnerOf = (row: number, count: number, group: number) => {
  const first = Math.floor(row / group) * group;
  const n = Math.min(group, count - first);
  const shift = n > 1 ? 1 + below(words(first, blendStream + 2)[0], n - 1) : 0;
  return first + ((row - first + shift) % n);
};
const kept = (y: readonly number[], row: number) => y[row * 4 + (row % 4)]!;

describe("mixup", () => {
  it.each([["f32", floats], ["u8", bytes]] as const)("is λ x + (1 − λ) x′, and the labels alike (%s)", async (dtype, make) => {
    const [count, group] = [70, 32];
    const set = make(count);
    const { x, y } = await all(data.stream(set).mixup({ alpha: 0.7, classes: 4, group }));
    const values = set.x.data;
    for (let row = 0; row < count; row++) {
      const other = partnerOf(row, count, group);
      expect(y.slice(row * 4, row * 4 + 4).reduce((a, b) => a + b)).toBeCloseTo(1, 6);
      // Partners of the same class tell nothing of λ.
      if (row % 4 === other % 4) continue;
      const lambda = kept(y, row);
      expect(y[row * 4 + (other % 4)]).toBeCloseTo(1 - lambda, 6);
      for (let k = 0; k < each; k++) {
        const wanted = lambda * values[row * each + k]! + (1 - lambda) * values[other * each + k]!;
        expect(Math.abs(x[row * each + k]! - wanted)).toBeLessThan(dtype === "u8" ? 0.5001 : 1e-6);
      }
    }
  }); // prettier-ignore

  it("goes on from any sample, in groups that begin at multiples of their size", async () => {
    const source = data.stream(bytes(150), { shuffle: true }).mixup({ classes: 4, group: 32 }).cutmix({ share: 0.5, group: 16 }); // prettier-ignore
    const { x, y } = await all(source);
    for (const skip of [1, 31, 32, 100, 149]) {
      const rest = await all(source, skip);
      expect(rest.y).toEqual(y.slice(skip * 4));
      expect(rest.x).toEqual(x.slice(skip * each));
    }
  });

  // Kolmogorov and Smirnov: the largest distance from the distribution is below 1.95 / √n in 99.9 % of all samples.
  it.each([
    [1, (v: number) => v],
    [0.5, (v: number) => (2 / Math.PI) * Math.asin(Math.sqrt(v))],
    [2, (v: number) => v * v * (3 - 2 * v)],
  ])("draws λ from Beta(%d, same)", async (alpha, distribution) => {
    const count = 6000;
    const x = new Float32Array(count);
    const set = data.fromArrays({ x: array(x, [count, 1]), y: array(Int32Array.from(x, (_, i) => i)) });
    const y = (await data.stream(set).mixup({ alpha, classes: count, group: 50 }).take(2000).toDataset()).y.data;
    const drawn = Array.from({ length: 2000 }, (_, row) => y[row * count + row]!).sort((a, b) => a - b);
    const distance = Math.max(...drawn.map((v, i) => Math.abs(distribution(v) - (i + 0.5) / 2000)));
    expect(distance).toBeLessThan(1.95 / Math.sqrt(2000));
  });

  it("takes shares and numbers as targets, and leaves samples out by its share", async () => {
    const x = Float32Array.from({ length: 400 }, (_, i) => i);
    const line = data.fromArrays({ x: array(x, [400, 1]), y: array(x.map((v) => 2 * v), [400, 1]) }); // prettier-ignore
    const { x: mixed, y } = await all(data.stream(line).mixup({ alpha: 1, share: 0.25 }));
    mixed.forEach((v, i) => expect(y[i]).toBeCloseTo(2 * v, 3)); // what is linear stays so
    const changed = mixed.filter((v, i) => v !== i).length;
    expect(Math.abs(changed - 100)).toBeLessThan(4 * Math.sqrt(400 * 0.25 * 0.75));
  });

  it("is refused where labels cannot be shared", () => {
    expect(() => data.stream(bytes(4)).mixup()).toThrow(/classes: 10/);
    expect(() => data.stream(bytes(4)).mixup({ classes: 4, alpha: 0 })).toThrow(/alpha must be/);
    expect(() => data.stream(bytes(4)).mixup({ classes: 4, group: 1 })).toThrow(/group must be/);
  });
});

describe("cutmix", () => {
  it("pastes a box of the other image, and shares labels by its area", async () => {
    const [count, group] = [96, 48];
    const set = bytes(count);
    const values = set.x.data;
    const { x, y } = await all(data.stream(set).cutmix({ classes: 4, group }));
    let boxes = 0;
    for (let row = 0; row < count; row++) {
      const other = partnerOf(row, count, group);
      if (row % 4 === other % 4) continue;
      const lambda = kept(y, row);
      const q = words(row, blendStream + 1);
      // The box of torchvision: half sides from √(1 − λ), clipped; its area is what the label says.
      const inside = Array.from({ length: H * W }, (_, k) => {
        const own = [0, 1, 2].every((c) => x[row * each + c * H * W + k] === values[row * each + c * H * W + k]);
        const theirs = [0, 1, 2].every((c) => x[row * each + c * H * W + k] === values[other * each + c * H * W + k]);
        expect(own || theirs).toBe(true);
        return theirs && !own;
      });
      const pasted = [...inside.keys()].filter((k) => inside[k]);
      expect(Math.abs(1 - lambda - pasted.length / (H * W))).toBeLessThan(1e-6);
      if (pasted.length === 0) continue;
      boxes += 1;
      const rowsIn = pasted.map((k) => Math.floor(k / W));
      const columnsIn = pasted.map((k) => k % W);
      const [height, width] = [Math.max(...rowsIn) - Math.min(...rowsIn) + 1, Math.max(...columnsIn) - Math.min(...columnsIn) + 1]; // prettier-ignore
      expect(pasted).toHaveLength(height * width);
      const [y0, x0] = [below(q[1], H), below(q[2], W)];
      expect(Math.min(...rowsIn) <= y0 && y0 <= Math.max(...rowsIn) + 1).toBe(true);
      expect(Math.min(...columnsIn) <= x0 && x0 <= Math.max(...columnsIn) + 1).toBe(true);
    }
    expect(boxes).toBeGreaterThan(30);
  });

  it("is trained on: cross-entropy takes shares", async () => {
    const set = data.fromArrays({ ...bytes(64), info: { classes: ["a", "b", "c", "d"] } });
    const source = data.stream(set, { shuffle: true }).mixup({ share: 0.5 }).cutmix({ share: 0.5 });
    const model = nn.sequential(nn.flatten(), nn.linear(each, 4));
    const { steps } = await train.fit(model, source, {
      loss: loss.crossEntropy(),
      optimizer: optim.sgd({ lr: 1e-3 }),
      batchSize: 16,
      epochs: 2,
      validate: { on: set, metrics: { accuracy: metrics.accuracy() } },
    });
    expect(steps).toBe(8);
  });
});
