// Folders of images as sources: pixels as they were written, in an order that can be gone on from; files that cannot be read.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encode } from "fast-png";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ArgumentError, CorruptFileError, data, FileError, loss, nn, optim, train } from "../../../lib/index.js";
import type { Source } from "../../../lib/data/index.js";

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "images-"));
  for (const [label, name] of ["cat", "dog", "elk"].entries()) {
    mkdirSync(join(dir, "plain", name), { recursive: true });
    for (let i = 0; i < 11; i++) writeFileSync(join(dir, "plain", name, `${String(i).padStart(2, "0")}.png`), png(pixels(label, i))); // prettier-ignore
  }
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

// RGB pixels, interleaved, 5 wide and 4 high.
const pixels = (label: number, i: number) =>
  Uint8Array.from({ length: 60 }, (_, at) => (label * 80 + i * 7 + at) % 256);
const png = (interleaved: Uint8Array) => encode({ width: 5, height: 4, channels: 3, depth: 8, data: interleaved });
const planes = (interleaved: Uint8Array) =>
  Array.from({ length: 60 }, (_, at) => interleaved[(at % 20) * 3 + Math.floor(at / 20)]!);

const samplesOf = async (source: Source, skip = 0, epoch = 0) => {
  const samples: { x: number[]; y: number }[] = [];
  for await (const { x, y } of source.read({ seed: 2, epoch, skip })) {
    for (let i = 0; i < y.data.length; i++) samples.push({ x: [...x.data.subarray(i * 60, (i + 1) * 60)], y: y.data[i]! });
  } // prettier-ignore
  return samples;
};

describe("a folder of images", () => {
  it("gives the pixels of its files, class after class", async () => {
    const source = await data.imageFolder(join(dir, "plain"), { shuffle: false });
    expect(source.x).toEqual({ dtype: "u8", shape: [3, 4, 5] });
    expect(source.info.classes).toEqual(["cat", "dog", "elk"]);
    const wanted = [0, 1, 2].flatMap((y) => Array.from({ length: 11 }, (_, i) => ({ x: planes(pixels(y, i)), y })));
    expect(await samplesOf(source)).toEqual(wanted);
  });

  it("comes in another order every epoch, which can be gone on from anywhere", async () => {
    const source = await data.imageFolder(join(dir, "plain"));
    const all = await samplesOf(source);
    expect(await samplesOf(source, 0, 1)).not.toEqual(all);
    expect(new Set(all.map(({ x }) => x.join())).size).toBe(33);
    for (const skip of [1, 16, 17, 32, 33]) expect(await samplesOf(source, skip)).toEqual(all.slice(skip));
  });

  it("is trained on, and tells the model its classes and how pixels are read", async () => {
    const source = (await data.imageFolder(join(dir, "plain"))).augment({ flip: "leftRight" });
    const model = nn.sequential(nn.flatten(), nn.linear(60, 3));
    await train.fit(model, source, { loss: loss.crossEntropy(), optimizer: optim.sgd({ lr: 0.1 }), batchSize: 8 });
    expect(model.info.classes).toEqual(["cat", "dog", "elk"]);
    expect(model.info.preprocessing?.x).toEqual({ kind: "normalize", divide: 255 });
  });

  it("reads JPEG, and brings images to one size", async () => {
    const folder = join(dir, "photos");
    for (const [name, colour] of [["blue", { r: 10, g: 20, b: 230 }], ["red", { r: 220, g: 30, b: 15 }]] as const) {
      mkdirSync(join(folder, name), { recursive: true });
      for (const width of [17, 32]) {
        const image = sharp({ create: { width, height: 24, channels: 3, background: colour } });
        await image.clone().jpeg({ quality: 100 }).toFile(join(folder, name, `${width}.jpg`));
        await image.png().toFile(join(folder, name, `${width}.png`));
      }
    } // prettier-ignore
    await expect(samplesOf(await data.imageFolder(folder))).rejects.toThrow(/all images must have one size/);
    const source = await data.imageFolder(folder, { size: [8, 6], channels: 3, shuffle: false });
    const chunk = (await source.read({ seed: 0, epoch: 0, skip: 0 })[Symbol.asyncIterator]().next()).value as { x: { data: Uint8Array; shape: number[] } }; // prettier-ignore
    expect(chunk.x.shape).toEqual([8, 3, 8, 6]);
    [10, 20, 230].forEach((value, c) => {
      for (const at of chunk.x.data.subarray(c * 48, (c + 1) * 48)) expect(Math.abs(at - value)).toBeLessThan(4); // JPEG
    });
    const grey = await data.imageFolder(folder, { size: [8, 8], channels: 1 });
    expect(grey.x.shape).toEqual([1, 8, 8]);
  });

  it("says which file cannot be read, or leaves it out", async () => {
    const folder = join(dir, "damaged");
    for (const name of ["a", "b"]) {
      mkdirSync(join(folder, name), { recursive: true });
      for (let i = 0; i < 3; i++) writeFileSync(join(folder, name, `${i}.png`), png(pixels(1, i)));
    }
    writeFileSync(join(folder, "a", "1.png"), png(pixels(1, 1)).subarray(0, 40));
    writeFileSync(join(folder, "b", "2.png"), encode({ width: 3, height: 3, channels: 1, depth: 8, data: new Uint8Array(9) })); // prettier-ignore
    const reading = samplesOf(await data.imageFolder(folder, { shuffle: false }));
    await expect(reading).rejects.toThrow(CorruptFileError);
    await expect(reading).rejects.toThrow(/a\/1\.png" is not a readable image/);
    const source = await data.imageFolder(folder, { shuffle: false, onError: "skip" });
    const all = await samplesOf(source);
    expect(all).toHaveLength(4);
    expect(source.skipped).toBe(2);
    expect(await samplesOf(source, 3)).toEqual(all.slice(3));
  });

  it("has a black image stand for one that cannot be read, so that their number is known", async () => {
    const folder = join(dir, "filled");
    for (const name of ["a", "b"]) {
      mkdirSync(join(folder, name), { recursive: true });
      for (let i = 0; i < 3; i++) writeFileSync(join(folder, name, `${i}.png`), png(pixels(1, i)));
    }
    const clean = await samplesOf(await data.imageFolder(folder, { shuffle: false }));
    for (const [name, i] of [["a", 0], ["b", 1]]) writeFileSync(join(folder, String(name), `${i}.png`), "no image"); // prettier-ignore
    const source = await data.imageFolder(folder, { shuffle: false, onError: "fill" });
    expect(source.length).toBe(6);
    const all = await samplesOf(source);
    expect([source.filled, source.skipped]).toEqual([2, 0]);
    const black = ({ x, y }: { x: ArrayLike<number>; y: ArrayLike<number> }) => ({
      x: Array.from(x, () => 0),
      y: Array.from(y),
    });
    const plain = ({ x, y }: { x: ArrayLike<number>; y: ArrayLike<number> }) => ({
      x: Array.from(x),
      y: Array.from(y),
    });
    expect((all as never[]).map(plain)).toEqual(
      (clean as never[]).map((each, i) => (i === 0 || i === 4 ? black(each) : plain(each))),
    );
    expect(await samplesOf(source, 4)).toEqual(all.slice(4));
    await expect(data.imageFolder(folder, { onError: "drop" as never })).rejects.toThrow(
      /"throw", "skip" or "fill", got "drop"/,
    );
  });

  it.each<[string, () => Promise<unknown>, new (...args: never[]) => Error, RegExp]>([
    ["is not there", () => data.imageFolder(join(dir, "none")), FileError, /ENOENT/],
    ["has no classes", () => data.imageFolder(join(dir, "plain", "cat")), ArgumentError, /a folder of images for each of two classes/],
    ["has other classes", () => data.imageFolder(join(dir, "plain"), { classes: ["cat", "dog"] }), ArgumentError, /folder "elk", which is not one of the classes/],
    ["is wanted in a strange size", () => data.imageFolder(join(dir, "plain"), { size: [0, 4] }), ArgumentError, /\[height, width\]/],
  ])("that %s is refused", async (_, open, kind, says) => {
    const opening = open();
    await expect(opening).rejects.toThrow(kind);
    await expect(opening).rejects.toThrow(says);
  }); // prettier-ignore
});
