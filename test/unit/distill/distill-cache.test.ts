// Scores that are kept: the teacher is asked once, training is the same, and folders are believed only as far as they can be checked.
import { randomUUID } from "node:crypto";
import { appendFile, mkdtemp, readdir, readFile, rm, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  array,
  artifact,
  CorruptFileError,
  data,
  distill,
  loss,
  nn,
  optim,
  seed,
  train,
  type NdArray,
  type Tensor,
} from "../../../lib/index.js";
import { decode, encode, encodedBytes } from "../../../lib/distill/cache/codec.js";
import { fromHalf, toHalf } from "../../../lib/distill/cache/half.js";

const set = data.fromArrays({
  x: array(
    Float32Array.from({ length: 90 * 6 }, (_, i) => Math.sin(i * i)),
    [90, 6],
  ),
  y: array(
    Uint8Array.from({ length: 90 }, (_, i) => (i * 7) % 12),
    [90],
  ),
});

function mlp(width: number, at: number): nn.Sequential {
  seed(at);
  return nn.sequential(nn.linear(6, width), nn.relu(), nn.linear(width, 12));
}

/** A teacher that counts how often it is traced. */
function counted(model: nn.ModuleLike) {
  const count = { traces: 0 };
  const f = (x: Tensor) => {
    count.traces++;
    return nn.call(model, x);
  };
  return { f, count };
}

async function student(teacher: distill.Teacher): Promise<number[]> {
  const net = mlp(8, 2);
  const distilling = distill.kd({ teacher, temperature: 3, alpha: 0.6 });
  const options = {
    loss: loss.crossEntropy(),
    optimizer: optim.adamW({ lr: 0.01 }),
    batchSize: 32,
    epochs: 3,
    seed: 5,
  };
  await train.fit(net, set, { ...options, distill: distilling });
  return net.parameters().flatMap((parameter) => Array.from(parameter.readSync().data));
}

let folder = "";
let places = 0;
const fresh = () => join(folder, `cache${places++}`);
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), "athanor-scores-"))));
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("halves", () => {
  it("round to nearest even, subnormals and the largest included", () => {
    const pairs: [number, number][] = [
      [0, 0], [-0, 0x8000], [1, 0x3c00], [-2, 0xc000], [65504, 0x7bff], [1e9, 0x7bff], [-1e9, 0xfbff],
      [2 ** -14, 0x0400], [2 ** -24, 0x0001], [2 ** -25, 0x0000], [1.5 * 2 ** -24, 0x0002], [2 ** -26, 0],
      [1 + 2 ** -11, 0x3c00], [1 + 3 * 2 ** -11, 0x3c02], [1 + 2 ** -11 + 2 ** -20, 0x3c01], [0.1, 0x2e66],
      [2 ** -14 - 2 ** -26, 0x0400], [2 - 2 ** -12, 0x4000],
    ]; // prettier-ignore
    expect(Array.from(toHalf(Float32Array.from(pairs, ([value]) => value)))).toEqual(pairs.map(([, bits]) => bits));
  });

  it("every finite half comes back as itself", () => {
    const all = Uint16Array.from({ length: 65536 }, (_, i) => i).filter((bits) => (bits & 0x7c00) !== 0x7c00);
    expect(toHalf(fromHalf(all))).toEqual(all);
  });
});

describe("top-K", () => {
  const scores = Float32Array.of(1, 5, -2, 3, 3, 0, /**/ 0, 0, 0, 0, 0, 9);
  const encoding = { values: "f32", topK: 2, classes: 6 } as const;

  it("keeps the largest and what probability is left, at temperature 1", () => {
    const bytes = encode(encoding, scores);
    expect(bytes).toHaveLength(encodedBytes(encoding, 2));
    const got = new Float32Array(12);
    decode("test", encoding, bytes, got);
    expect([got[1], got[3], got[11], got[6]]).toEqual([5, 3, 9, 0]); // of equal scores the first is kept
    const mass = (row: Float32Array) => row.reduce((sum, score) => sum + Math.exp(score), 0);
    expect(mass(got.subarray(0, 6))).toBeCloseTo(mass(scores.subarray(0, 6)), 3);
    expect(new Set([got[0], got[2], got[4], got[5]]).size).toBe(1);
  });
});

describe("a cached teacher", () => {
  it("teaches the same to the bit, from memory, from disk, and from an artifact", async () => {
    const teacher = mlp(32, 1);
    const live = await student(teacher);
    expect(await student(distill.cached(teacher))).toEqual(live);
    const place = fresh();
    expect(await student(distill.cached(teacher, { folder: place }))).toEqual(live);
    expect(await student(distill.cached(teacher, { folder: place }))).toEqual(live);
    const saved = join(folder, "teacher");
    await artifact.save(teacher, saved, { input: { dtype: "f32", shape: [6] } });
    using served = await artifact.load(saved);
    expect(await student(served)).toEqual(live);
    using again = await artifact.loadModel(saved);
    expect(await student(again)).toEqual(live);
  });

  it("takes away the drafts of writers that were killed, and nothing else", async () => {
    const place = fresh();
    const teacher = mlp(8, 1);
    await student(distill.cached(teacher, { folder: place }));
    const whole = (await readdir(place)).sort();
    const draft = (name: string) => `${name}.${randomUUID()}`;
    const [old, young, others] = [
      [draft("cache.json"), draft("00000.scores")],
      [draft("00000.scores")],
      ["notes.txt", `notes.txt.${randomUUID()}`, "00000.scores.bak"],
    ];
    const past = new Date(Date.now() - 11 * 60_000);
    for (const name of [...old, ...young, ...others]) await writeFile(join(place, name), "half");
    for (const name of [...old, ...others]) await utimes(join(place, name), past, past);
    await student(distill.cached(teacher, { folder: place }));
    expect((await readdir(place)).sort()).toEqual([...whole, ...young, ...others].sort());
  });

  it("is asked once for all epochs and runs, and again when its weights change", async () => {
    const model = mlp(32, 1);
    const teacher = distill.cached(model);
    const [first, second] = [await teacher.scores(set.x), await teacher.scores(array(set.x.data.slice(), [90, 6]))];
    expect(second).toBe(first);
    model.parameters()[0]!.write(array(new Float32Array(32 * 6), [32, 6]));
    expect(await teacher.scores(set.x)).not.toEqual(first);
  });

  it("in f16 and top-K: as close as stated, the same from memory and from disk", async () => {
    const model = mlp(32, 1);
    const exact = (await distill.cached(model).scores(set.x)).data;
    const options = { values: "f16", topK: 3 } as const;
    const [memory, disk] = [distill.cached(model, options), distill.cached(model, { ...options, folder: fresh() })];
    const got = await memory.scores(set.x);
    expect(await disk.scores(set.x)).toEqual(got);
    const half = (await distill.cached(model, { values: "f16" }).scores(set.x)).data;
    for (let i = 0; i < exact.length; i++) {
      expect(Math.abs(half[i]! - exact[i]!)).toBeLessThanOrEqual(Math.abs(exact[i]!) * 2 ** -11 + 2 ** -25);
    }
    for (let row = 0; row < 90; row++) {
      const of = (scores: ArrayLike<number>) => Array.from({ length: 12 }, (_, c) => scores[row * 12 + c]!);
      const order = of(exact).map((_, c) => c).sort((a, b) => of(exact)[b]! - of(exact)[a]!); // prettier-ignore
      for (const c of order.slice(0, 3)) expect(of(got.data)[c]).toBe(of(half)[c]);
      expect(new Set(order.slice(3).map((c) => of(got.data)[c])).size).toBe(1);
    }
  });

  it("goes on where it was cut off: only the files that are missing are asked for", async () => {
    const x = array(
      Float32Array.from({ length: 9000 * 2 }, (_, i) => Math.cos(i)),
      [9000, 2],
    );
    seed(1);
    const { f, count } = counted(nn.linear(2, 3));
    const place = fresh();
    const all = await distill.cached(f, { folder: place }).scores(x);
    const files = (await readdir(place)).sort();
    expect(files).toEqual(["00000.scores", "00001.scores", "00002.scores", "cache.json"]);
    const before = await readFile(join(place, "00001.scores"));
    await rm(join(place, "00001.scores"));
    const signal = AbortSignal.abort();
    await expect(distill.cached(f, { folder: place }).scores(x, { signal })).rejects.toThrow(/abort/i);
    count.traces = 0;
    expect(await distill.cached(f, { folder: place }).scores(x)).toEqual(all);
    const missing = count.traces;
    expect(await readFile(join(place, "00001.scores"))).toEqual(before);
    count.traces = 0;
    expect(await distill.cached(f, { folder: place }).scores(x)).toEqual(all);
    expect(count.traces).toBeLessThan(missing);
  });

  it("gives up when the signal fires, and fit with it, with the student untouched", async () => {
    const x = array(
      Float32Array.from({ length: 20000 * 6 }, (_, i) => Math.cos(i)),
      [20000, 6],
    );
    const many = { x, y: array(new Uint8Array(20000)) };
    const place = fresh();
    const controller = new AbortController();
    // Fires while the second of five files is asked for.
    let traces = 0;
    const teacher = (input: Tensor) => {
      if (++traces > 4) controller.abort();
      return nn.call(model, input);
    };
    const model = mlp(32, 1);
    const net = mlp(8, 2);
    const before = net.parameters()[0]!.readSync();
    const run = train.fit(net, many, {
      loss: loss.crossEntropy(),
      optimizer: optim.sgd({ lr: 0.1 }),
      signal: controller.signal,
      distill: distill.kd({ teacher: distill.cached(teacher, { folder: place }) }),
    });
    await expect(run).rejects.toMatchObject({ name: "AbortError" });
    expect(net.parameters()[0]!.readSync()).toEqual(before);
    const left = await readdir(place);
    expect(left).toContain("cache.json");
    expect(left.every((name) => /^(\d{5}\.scores|cache\.json)$/.test(name))).toBe(true);
    expect(left.length).toBeLessThan(6);
  });

  describe("a folder that is not what it seems", () => {
    const model = mlp(32, 1);
    async function filled(): Promise<string> {
      const place = fresh();
      await distill.cached(model, { folder: place }).scores(set.x);
      return place;
    }
    const ask = (place: string, x: NdArray = set.x, teacher: nn.ModuleLike = model, options = {}) =>
      distill.cached(teacher, { folder: place, ...options }).scores(x);

    it("of another teacher, other samples, another encoding", async () => {
      const place = await filled();
      await expect(ask(place, set.x, mlp(32, 3))).rejects.toThrow(/another teacher/);
      await expect(ask(place, array(set.x.data.map((v) => v + 1) as Float32Array, [90, 6]))).rejects.toThrow(
        /other samples/,
      );
      await expect(ask(place, set.x, model, { values: "f16" })).rejects.toThrow(/with values "f32", not "f16"/);
      await expect(ask(place, set.x, model, { topK: 4 })).rejects.toThrow(/with topK 12, not 4/);
    });

    it.each<[string, (file: string, place: string) => Promise<void>, RegExp]>([
      ["cut", (file) => truncate(file, 100), /it has 100 bytes, expected 4352/],
      ["longer", (file) => appendFile(file, "x"), /it has 4353 bytes/],
      ["empty", (file) => truncate(file, 0), /it has 0 bytes/],
      [
        "changed",
        async (file) => {
          const bytes = await readFile(file);
          bytes[200]! ^= 1;
          await writeFile(file, bytes);
        },
        /its checksum does not fit/,
      ],
      [
        "moved in from elsewhere",
        async (file) => {
          const other = fresh();
          await ask(other, set.x, mlp(32, 9));
          await writeFile(file, await readFile(join(other, "00000.scores")));
        },
        /its checksum does not fit/,
      ],
      ["without JSON", (_, place) => writeFile(join(place, "cache.json"), "{"), /it is no JSON/],
      ["with null", (_, place) => writeFile(join(place, "cache.json"), "null"), /does not describe/],
      ["with a huge manifest", (_, place) => writeFile(join(place, "cache.json"), " ".repeat(5000)), /too many/],
    ])("%s", async (_, spoil, message) => {
      const place = await filled();
      await spoil(join(place, "00000.scores"), place);
      const asked = ask(place);
      await expect(asked).rejects.toThrow(CorruptFileError);
      await expect(asked).rejects.toThrow(message);
      await expect(asked).rejects.toThrow(/delete it, and the teacher is asked again/);
    });
  });

  it.each<[string, () => unknown, RegExp]>([
    ["no model", () => distill.cached(3 as never), /expected a module or a function/],
    ["topK 0", () => distill.cached(mlp(2, 1), { topK: 0 }), /topK must be a whole number from 1 on/],
    ["bytes", () => distill.cached(mlp(2, 1), { values: "i8" as never }), /values must be one of "f32", "f16"/],
    ["a folder that is none", () => distill.cached(mlp(2, 1), { folder: "" }), /folder must be a path/],
  ])("refuses %s", (_, body, message) => {
    expect(body).toThrow(message);
  });

  it("refuses scores that are not finite, and a loop of one's own without them", async () => {
    const broken = distill.cached((x) => x.sub(x).log().neg());
    await expect(broken.scores(set.x)).rejects.toThrow(/the teacher's scores\[0, 0\] is Infinity; sample 0 /);
    const net = mlp(8, 2);
    const term = distill.kd({ teacher: distill.cached(mlp(32, 1)) });
    using step = train.step(net, optim.sgd({ lr: 0.1 }), term.step(net, loss.crossEntropy()));
    await expect(step.run({ x: set.x, y: set.y })).rejects.toThrow(/teaches in train.fit.*distill.fed/);
  });
});
