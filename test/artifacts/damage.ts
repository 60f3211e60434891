// Artifacts of all kinds, damaged at random: flipped bits, cut files, pieces moved, doubled, lost or of another artifact. Whatever it is,
// loading says that the file is damaged and which; it never crashes and never gives a model.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { array, artifact, nn, prune, quantize, seed, AthanorError } from "athanor";

const input = { dtype: "f32", shape: [2, 8, 8] } as const;
const metadata = { author: "Zoë", classes: '["cat","dog"]', note: 'quotes " and \\ and \u2028' };
const samples = array(Float32Array.from({ length: 12 * 128 }, (_, i) => Math.sin(i * 1.7)), [12, 2, 8, 8]); // prettier-ignore

function network(): nn.Module {
  seed(12);
  return nn.sequential(
    nn.conv2d(2, 4, { kernel: 3, padding: 1 }),
    nn.batchNorm(4),
    nn.relu(),
    nn.maxPool2d(2),
    nn.flatten(),
    nn.linear(64, 16),
    nn.gelu(),
    nn.linear(16, 10),
  );
}

const masked = async (): Promise<nn.Module> => {
  const model = network();
  await prune.mask(model, { amount: 0.5 });
  return model;
};
const schemes = [
  quantize.int8(),
  quantize.int8({ activations: "dynamic", symmetric: false }),
  quantize.int8({ activations: "static" }),
  quantize.int4(),
  quantize.intN(3),
  quantize.nf4(),
  quantize.kmeans({ entries: 4 }),
  quantize.apot(),
  quantize.fp8("e4m3"),
  quantize.fp8("e5m2"),
];

/** Saves one artifact of every kind; their folders. */
export async function saveAllKinds(folder: string): Promise<string[]> {
  const models: [string, nn.Module][] = [
    ["f32", network()],
    ["masked", await masked()],
    ["sparse", await prune.pack(await prune(network(), { amount: 0.9 }))],
  ];
  for (const scheme of schemes) {
    const name = `${scheme.name}-${scheme.activations}-${models.length}`;
    models.push([name, await quantize(network(), scheme, { integers: "all", calibrate: samples })]);
  }
  for (const [name, model] of models) await artifact.save(model, join(folder, name), { input, metadata });
  return models.map(([name]) => join(folder, name));
}

export interface DamageResult {
  kinds: number;
  tried: number;
  /** By what was done. */
  found: Record<string, number>;
  /** Damage that was not named by CorruptFileError with the file. */
  wrong: string[];
}

const names = ["graph.json", "weights.safetensors"] as const;

export async function damage({ folder, count, seed: start }: { folder: string; count: number; seed: number }) {
  const paths = await saveAllKinds(folder);
  const files = await Promise.all(paths.map((path) => Promise.all(names.map((name) => readFile(join(path, name))))));
  let state = start >>> 0;
  // https://en.wikipedia.org/wiki/Linear_congruential_generator with Knuth's multiplier, upper bits
  const below = (n: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  const span = (bytes: Buffer): Buffer => {
    const from = below(bytes.length);
    return bytes.subarray(from, from + 1 + below(Math.min(64, bytes.length - from)));
  };
  const harms: Record<string, (bytes: Buffer, other: Buffer) => Buffer> = {
    flips: (bytes) => {
      const copy = Buffer.from(bytes);
      for (let i = 0; i <= below(3); i++) copy[below(copy.length)]! ^= 1 << below(8);
      return copy;
    },
    bytes: (bytes) => {
      const copy = Buffer.from(bytes);
      copy[below(copy.length)] = below(256);
      return copy;
    },
    digits: (bytes) => {
      const copy = Buffer.from(bytes);
      const at = Array.from({ length: 50 }, () => below(copy.length)).find((i) => copy[i]! >= 48 && copy[i]! <= 57);
      if (at !== undefined) copy[at] = 48 + below(10);
      return copy;
    },
    cut: (bytes) => bytes.subarray(0, below(bytes.length)),
    beheaded: (bytes) => bytes.subarray(1 + below(bytes.length - 1)),
    longer: (bytes) => Buffer.concat([bytes, span(bytes)]),
    zeros: (bytes) => {
      const copy = Buffer.from(bytes);
      span(copy).fill(0);
      return copy;
    },
    insertion: (bytes) => {
      const at = below(bytes.length);
      return Buffer.concat([bytes.subarray(0, at), span(bytes), bytes.subarray(at)]);
    },
    deletion: (bytes) => {
      const at = below(bytes.length);
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + below(8))]);
    },
    moved: (bytes) => {
      const copy = Buffer.from(bytes);
      span(bytes).copy(copy, below(copy.length));
      return copy;
    },
    spliced: (bytes, other) => {
      const at = below(Math.min(bytes.length, other.length));
      return Buffer.concat([bytes.subarray(0, at), other.subarray(at)]);
    },
    exchanged: (_, other) => other,
  };
  const result: DamageResult = { kinds: paths.length, tried: 0, found: {}, wrong: [] };
  const kinds = Object.keys(harms);
  const place = join(folder, "damaged");
  await mkdir(place);
  while (result.tried < count) {
    const [k, file, harm] = [below(files.length), below(2), kinds[below(kinds.length)]!];
    const [whole, other] = [files[k]!, files[below(files.length)]!];
    const damaged = harms[harm]!(whole[file]!, other[file]!);
    if (damaged.equals(whole[file]!)) continue;
    await writeFile(join(place, names[file]!), damaged);
    await writeFile(join(place, names[1 - file]!), whole[1 - file]!);
    const load: (path: string) => Promise<unknown> = result.tried++ % 2 === 0 ? artifact.load : artifact.loadModel;
    const thrown: unknown = await load(place).then(
      () => "loaded",
      (error: unknown) => error,
    );
    // A whole graph of another artifact is found out by the weights that it names.
    const named = harm === "exchanged" || damaged.equals(other[file]!) ? names : [names[file]!];
    const right =
      thrown instanceof AthanorError &&
      thrown.code === "ERR_ATHANOR_CORRUPT" &&
      named.some((name) => thrown.message.includes(`"${join(place, name)}" is damaged: `));
    if (right) result.found[harm] = (result.found[harm] ?? 0) + 1;
    else result.wrong.push(`${paths[k]}: ${harm} of ${names[file]}: ${String(thrown)}`);
  }
  return result;
}
