// Sources of samples: the same samples for the same seed and epoch from wherever the reading begins, whatever is made of them; bounded
// in memory; and what is said of sources that break their word.
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ArgumentError, array, CorruptFileError, data, ShapeError } from "../../../lib/index.js";
import type { BatchSource, Chunk, ReadRequest, Source } from "../../../lib/data/index.js";
import { counted, image, uneven } from "./sample-sources.js";

let dir: string;
beforeAll(() => (dir = mkdtempSync(join(tmpdir(), "sources-"))));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const corpus = () => {
  const path = join(dir, "corpus.u16");
  writeFileSync(
    path,
    Uint16Array.from({ length: 3000 }, (_, i) => (i * 31) % 65_521),
  );
  return path;
};

const rowsFrom = async (source: BatchSource, request: Partial<ReadRequest> = {}) => {
  const rows: string[] = [];
  for await (const { x, y } of source.read({ seed: 3, epoch: 1, skip: 0, ...request })) {
    const [width, depth] = [x.data.length / x.shape[0]!, y.data.length / y.shape[0]!];
    for (let i = 0; i < x.shape[0]!; i++) {
      rows.push(`${x.data.subarray(i * width, (i + 1) * width).join(" ")} | ${y.data.subarray(i * depth, (i + 1) * depth).join(" ")}`);
    }
  } // prettier-ignore
  return rows;
};

const sources: Record<string, () => Promise<Source> | Source> = {
  "a data set": () => data.stream(counted(300)),
  "a data set in another order": () => data.stream(counted(300), { shuffle: true }),
  "a generator": () => uneven(100),
  "random windows of tokens": () => data.tokens(corpus(), { window: 10 }),
  "windows of tokens in order": () => data.tokens(corpus(), { window: 10, order: "sequential" }),
  "a part": () => uneven(100).take(60).skip(13),
  "a filter": () => uneven(100).filter(({ y }) => y.data[0] !== 1, "not 1"),
  "a map": () => uneven(60).map(({ x, y }, { index }) => ({ x: array(x.data.map((v, i) => v + index + (i >> 1)), x.shape), y }), { name: "add", concurrency: 3 }), // prettier-ignore
  "a shuffle buffer": () => uneven(200).shuffle(32),
  "a shuffle buffer of more than there is": () => uneven(50).shuffle(1000),
  "one after the other": () => data.concat(uneven(50), uneven(30).filter(() => true), data.stream(counted(40))), // prettier-ignore
  "a mixture": () => data.mix([uneven(50), data.stream(counted(70, 500))], { weights: [1, 3] }),
  "changed images": () => data.stream(image(150), { shuffle: true }).augment({ flip: "both", crop: { padding: 2 }, cutout: 3 }), // prettier-ignore
  "reading ahead": () => uneven(80).prefetch(4),
  "all at once": () => data.mix([data.concat(uneven(40), uneven(20)).shuffle(16), data.stream(counted(30))]).take(80), // prettier-ignore
};

describe("a source", () => {
  it.each(Object.entries(sources))("of %s goes on from any sample", async (_, make) => {
    const source = await make();
    const all = await rowsFrom(source);
    expect(all.length).toBeGreaterThan(0);
    for (const skip of [0, 1, 7, 31, all.length - 1, all.length, all.length + 5]) {
      expect(await rowsFrom(source, { skip }), `skip ${skip}`).toEqual(all.slice(skip));
    }
    if (source.length !== undefined) expect(all).toHaveLength(source.length);
    expect((await source.counted()).length).toBe((await rowsFrom(source, { seed: 0, epoch: 0 })).length);
    expect(await rowsFrom(await make())).toEqual(all); // a process of its own sees the same
  });

  it.each(["a data set in another order", "random windows of tokens", "a shuffle buffer", "changed images"])(
    "of %s has another order for every epoch and seed",
    async (name) => {
      const source = await sources[name]!();
      const orders = await Promise.all(
        [{}, { epoch: 2 }, { seed: 4 }].map(async (request) => (await rowsFrom(source, request)).map((row) => row.replace(/\d{3,}/g, (v) => String(Number(v) % 1000))).join()), // prettier-ignore
      );
      expect(new Set(orders).size).toBe(3);
    },
  );

  it.each([
    ["a shuffle buffer", () => uneven(200).shuffle(32), 200],
    ["a data set in another order", () => data.stream(counted(300), { shuffle: true }), 300],
    ["a mixture", () => data.mix([uneven(50), data.stream(counted(70, 500))], { weights: [1, 3] }), 120],
  ])("of %s has every sample once", async (_, make, count) => {
    expect(new Set(await rowsFrom(make())).size).toBe(count);
  });

  it("draws from a mixture by its weights", async () => {
    const source = data.mix([data.stream(counted(4000)), data.stream(counted(4000, 5000))], { weights: [1, 3] });
    const first = (await rowsFrom(source)).slice(0, 2000);
    const share = first.filter((row) => Number(row.split(" ")[0]) >= 5000).length / 2000;
    expect(Math.abs(share - 0.75)).toBeLessThan(4 * Math.sqrt((0.75 * 0.25) / 2000)); // four deviations
  });

  it("gives windows of the file: y is x one token later", async () => {
    const source = await data.tokens(corpus(), { window: 10 });
    for await (const { x, y } of source.read({ seed: 1, epoch: 0, skip: 0 })) {
      for (let row = 0; row < x.shape[0]!; row++) {
        const [from, to] = [x.data.subarray(row * 10, row * 10 + 10), y.data.subarray(row * 10, row * 10 + 10)];
        expect([...from.subarray(1)]).toEqual([...to.subarray(0, 9)]);
        for (let i = 0; i < 10; i++) expect((to[i]! - from[i]! + 65_521) % 65_521).toBe(31);
      }
    }
  });

  it("reads no further ahead than it is told", async () => {
    let given = 0;
    const source = data.fromGenerator(
      { x: { dtype: "f32", shape: [1] }, y: { dtype: "f32", shape: [1] }, name: "endless" },
      async function* () {
        for (;;) {
          given += 1;
          await Promise.resolve();
          yield { x: array([given], [1, 1]), y: array([0], [1, 1]) };
        }
      },
    );
    const chunks = source.prefetch(5).read({ seed: 0, epoch: 0, skip: 0 })[Symbol.asyncIterator]();
    for (let i = 0; i < 3; i++) await chunks.next();
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(given).toBeLessThanOrEqual(8);
    await chunks.return?.();
  });
});

// An oracle of its own for what the engine does to images: shifts and squares leave the values of the original at shifted places.
describe("changed images", () => {
  const plain = async (source: Source) => {
    const chunks: Chunk[] = [];
    for await (const chunk of source.read({ seed: 5, epoch: 0, skip: 0 })) chunks.push(chunk);
    return chunks.flatMap(({ x }) => Array.from({ length: x.shape[0]! }, (_, i) => x.data.subarray(i * 60, (i + 1) * 60)));
  }; // prettier-ignore
  const set = data.fromArrays({
    x: array(
      Uint8Array.from({ length: 400 * 60 }, (_, i) => 1 + (i % 60)),
      [400, 2, 6, 5],
    ),
    y: array(new Uint8Array(400)),
  });
  const original = Uint8Array.from({ length: 60 }, (_, i) => 1 + i);
  const shifted = (dy: number, dx: number, mirror: boolean) =>
    Uint8Array.from({ length: 60 }, (_, i) => {
      const [c, r, j] = [Math.floor(i / 30), Math.floor((i % 30) / 5), i % 5];
      const [from, at] = [r + dy, (mirror ? 4 - j : j) + dx];
      return from < 0 || from > 5 || at < 0 || at > 4 ? 0 : original[c * 30 + from * 5 + at]!;
    });

  it("are mirrored half of the time", async () => {
    const images = await plain(data.stream(set).augment({ flip: "leftRight" }));
    const mirrored = images.filter((x) => x.join() === shifted(0, 0, true).join()).length;
    const same = images.filter((x) => x.join() === original.join()).length;
    expect(mirrored + same).toBe(400);
    expect(Math.abs(mirrored - 200)).toBeLessThan(4 * 10); // four deviations of 400 throws
  });

  it("are each one of the shifts of the padded image, all of which come", async () => {
    const images = await plain(data.stream(set).augment({ crop: { padding: 2 }, flip: "leftRight" }));
    const shifts = new Map<string, number>();
    for (const mirror of [false, true])
      for (let dy = -2; dy <= 2; dy++) for (let dx = -2; dx <= 2; dx++) shifts.set(shifted(dy, dx, mirror).join(), 0);
    for (const x of images) {
      expect(shifts.has(x.join())).toBe(true);
      shifts.set(x.join(), shifts.get(x.join())! + 1);
    }
    expect([...shifts.values()].filter((count) => count > 0).length).toBeGreaterThan(45); // of 50, in 400 draws
  });

  it("lack a square of all channels, clipped at the border", async () => {
    for (const x of await plain(data.stream(set).augment({ cutout: 3, fill: 255 }))) {
      const gone = [...x.keys()].filter((i) => x[i] === 255);
      const [rows, columns] = [new Set(gone.map((i) => Math.floor((i % 30) / 5))), new Set(gone.map((i) => i % 5))];
      expect(gone).toHaveLength(2 * rows.size * columns.size);
      expect(rows.size).toBeLessThanOrEqual(3);
      expect(columns.size).toBeGreaterThanOrEqual(2);
      expect([...x.keys()].every((i) => x[i] === 255 || x[i] === original[i])).toBe(true);
    }
  });
});

describe("files of tokens", () => {
  it("are refused where they are too short or not there, and told where they were cut", async () => {
    const path = join(dir, "short.u16");
    writeFileSync(path, new Uint16Array(10));
    await expect(data.tokens(path, { window: 10 })).rejects.toThrow(ArgumentError);
    await expect(data.tokens(join(dir, "none"), { window: 10 })).rejects.toThrow(/cannot read .*ENOENT/);
    await expect(data.tokens(path, { window: 2, dtype: "u8" as never })).rejects.toThrow(/"u16" or "u32"/);
    const source = await data.tokens(path, { window: 4, order: "sequential" });
    truncateSync(path, 12);
    await expect(rowsFrom(source)).rejects.toThrow(CorruptFileError);
  });

  it("of u32 are read, and tokens beyond i32 refused", async () => {
    const path = join(dir, "wide.u32");
    writeFileSync(path, Uint32Array.of(1, 70_000, 2 ** 31 - 1, 5, 6));
    const source = await data.tokens(path, { window: 2, dtype: "u32", order: "sequential" });
    expect(await rowsFrom(source)).toEqual(["1 70000 | 70000 2147483647", "2147483647 5 | 5 6"]);
    writeFileSync(path, Uint32Array.of(1, 2 ** 31, 3, 4, 5));
    await expect(rowsFrom(source)).rejects.toThrow(/token 2147483648 at position 1/);
  });
});

describe("what is made of sources", () => {
  it("is checked", () => {
    const source = uneven(20);
    expect(() => source.take(-1)).toThrow(/count must be a whole number from 0 on/);
    expect(() => source.shuffle(0)).toThrow(/size must be a whole number from 1 on/);
    expect(() => source.map(3 as never)).toThrow(/expected a function/);
    expect(() => source.augment({ flip: "leftRight" })).toThrow(/expected images/);
    expect(() => data.stream(image(4)).augment({ cutout: 9 })).toThrow(/up to 5/);
    expect(() => data.stream(image(4)).augment({ flp: "both" } as never)).toThrow(/did you mean "flip"/);
    expect(() => data.mix([source, data.stream(image(4))])).toThrow(ShapeError);
    expect(() => data.mix([source], { weights: [1, 2] })).toThrow(/weights must be/);
    expect(() => data.concat(counted(3) as never)).toThrow(/data\.stream\(set\)/);
  });
});
