// What the examples of docstrings take for granted: values by name, and files in the working folder.
import { copyFileSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { tableFromArrays, tableToIPC } from "apache-arrow";
import Sqlite from "better-sqlite3";
import { encode } from "fast-png";
import { parquetWriteBuffer } from "hyparquet-writer";
import * as artifact from "../../lib/artifact/index.js";
import * as data from "../../lib/data/index.js";
import * as loss from "../../lib/loss/index.js";
import * as nn from "../../lib/nn/index.js";
import * as optim from "../../lib/optim/index.js";
import { prune } from "../../lib/prune/index.js";
import { array } from "../../lib/tensor/index.js";
import * as train from "../../lib/train/index.js";

const classes = 10;

function samples(count: number): data.Dataset {
  const pixels = Float32Array.from({ length: count * 784 }, (_, i) => (i * 7919) % 256);
  return data.fromArrays({
    x: array(pixels, [count, 784]),
    y: array(
      Uint8Array.from({ length: count }, (_, i) => i % classes),
      [count],
    ),
  });
}

const network = (): nn.Module => nn.sequential(nn.flatten(), nn.linear(784, classes));

/** A header of IDX (type u8, extents), then zeros. */
const idx = (...extents: number[]): Buffer => {
  const head = Buffer.alloc(4 + 4 * extents.length);
  head.set([0, 0, 8, extents.length]);
  extents.forEach((extent, i) => head.writeUInt32BE(extent, 4 + 4 * i));
  return Buffer.concat([head, Buffer.alloc(extents.reduce((a, b) => a * b, 1))]);
};

async function* steps(): AsyncIterable<unknown> {
  await Promise.resolve();
  yield { epoch: 1, step: 1, steps: 4690, loss: 0.5, samplesPerSecond: 1000 };
}

/** Makes the files in a new folder below the temporary one; returns it. */
export async function makeExampleFiles(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "athanor-examples-"));
  const at = (path: string): string => join(folder, path);
  for (const name of ["out", "photos/cat", "photos/dog"]) mkdirSync(at(name), { recursive: true });
  const model = network();
  const x = { dtype: "f32", shape: [28, 28] } as const;
  await artifact.save(model, at("out/digits"), { input: x });
  await artifact.save(await prune.pack(await prune(network(), { amount: 0.8 })), at("out/pruned"), { input: x });
  await train.fit(nn.sequential(nn.linear(784, classes)), samples(32), {
    loss: loss.crossEntropy(),
    optimizer: optim.adam({ lr: 1e-3 }),
    batchSize: 16,
    log: { dir: at("runs/digits") },
  });
  writeFileSync(at("train-images-idx3-ubyte.gz"), gzipSync(idx(8, 28, 28)));
  const png = encode({ width: 64, height: 64, channels: 3, depth: 8, data: new Uint8Array(64 * 64 * 3) });
  for (const name of ["cat", "dog"]) writeFileSync(at(`photos/${name}/1.png`), png);
  writeFileSync(at("corpus.u16"), Buffer.from(Uint16Array.from({ length: 4096 }, (_, i) => i % 97).buffer));
  const rows = Array.from({ length: 40 }, (_, i) => ({ age: 20 + i, city: ["Ulm", "Bonn"][i % 2], tier: i % 3 ? "b" : "a" })); // prettier-ignore
  writeFileSync(at("customers.csv"), ["age,city,tier", ...rows.map((row) => Object.values(row).join())].join("\n"));
  writeFileSync(at("customers.jsonl"), rows.map((row) => JSON.stringify(row)).join("\n"));
  const columns = ["age", "city", "tier"] as const;
  const columnData = [
    ...columns.map((name) => ({ name, data: rows.map((row) => row[name]) })),
    { name: "tags", data: rows.map(() => "new") },
  ];
  writeFileSync(at("customers.parquet"), Buffer.from(parquetWriteBuffer({ columnData })));
  const vectors = Object.fromEntries(columns.map((name) => [name, rows.map((row) => row[name])]));
  writeFileSync(at("customers.arrow"), tableToIPC(tableFromArrays(vectors), "file"));
  copyFileSync(new URL("../golden/optuna/studies.db", import.meta.url), at("optuna.db"));
  const studies = new Sqlite(at("optuna.db"));
  studies.exec(
    "UPDATE studies SET study_name = 'digits' WHERE study_name = 'one'; DELETE FROM trial_system_attributes WHERE key LIKE 'constraints%'",
  );
  studies.close();
  return folder;
}

/** Values that the examples name; those of `prelude` in examples.test.ts. The working folder is that of the files. */
export async function exampleValues(): Promise<Record<string, unknown>> {
  const set = data.fromArrays({ x: array(new Float32Array(300 * 784), [300, 28, 28]), y: array(new Uint8Array(300)) });
  return {
    writeFile,
    pixels: new Float32Array(78_400),
    labels: Array.from({ length: 100 }, (_, i) => i % classes),
    image: new Float32Array(784),
    scores: array(
      Float32Array.from({ length: 12 }, (_, i) => (i * 5) % 7),
      [4, 3],
    ),
    truth: array(Int32Array.from([0, 1, 2, 0]), [4]),
    set: { train: set },
    run: steps(),
    dense: await artifact.load("out/digits"),
    pruned: await artifact.load("out/pruned"),
  };
}
