// Logs of runs: what was told is what was written, in every format, whether the run ended, went on or was killed.
import { fork } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  ArgumentError,
  array,
  data,
  FileError,
  loss,
  metrics,
  nn,
  optim,
  report,
  schedule,
  seed,
  train,
} from "../../../lib/index.js";
import { crc32c, maskedCrc32c } from "../../../lib/log/crc32c.js";
import type { LogRecord, RunFile } from "../../../lib/log/index.js";
import { compiled } from "../../programs.js";

let dir: string;
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), "log-"))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const rows = 60;
const set = data.fromArrays({
  x: array(
    Float32Array.from({ length: rows * 4 }, (_, i) => Math.sin(i * 1.7)),
    [rows, 4],
  ),
  y: array(Uint8Array.from({ length: rows }, (_, i) => i % 3)),
});
const build = () => {
  seed(1);
  return nn.sequential(nn.linear(4, 8), nn.relu(), nn.linear(8, 3));
};
const options = () => ({
  loss: loss.crossEntropy(),
  optimizer: optim.adam({ lr: schedule.cosine({ peak: 1e-2 }), clipNorm: 1 }),
  batchSize: 8,
  epochs: 3,
  seed: 2,
  validate: { on: set, metrics: { accuracy: metrics.accuracy() } },
});
const linesIn = (folder: string) =>
  readFileSync(join(folder, "metrics.jsonl"), "utf8").trimEnd().split("\n").map((line) => JSON.parse(line) as LogRecord & Record<string, unknown>); // prettier-ignore
const runFile = (folder: string) => JSON.parse(readFileSync(join(folder, "run.json"), "utf8")) as RunFile;

// Records of an event file, by the format's own description (tensorflow/core/lib/io/record_writer.h) and the fields of event.proto.
function* eventsIn(path: string) {
  const bytes = readFileSync(path);
  for (let at = 0; at < bytes.length;) {
    const length = Number(bytes.readBigUInt64LE(at));
    expect(bytes.readUInt32LE(at + 8)).toBe(maskedCrc32c(bytes.subarray(at, at + 8)));
    const body = bytes.subarray(at + 12, at + 12 + length);
    expect(bytes.readUInt32LE(at + 12 + length)).toBe(maskedCrc32c(body));
    yield fieldsOf(body);
    at += length + 16;
  }
}
function fieldsOf(bytes: Buffer) {
  const fields: { field: number; value: number | Buffer }[] = [];
  let at = 0;
  const varint = () => {
    let [value, scale] = [0, 1];
    for (;;) {
      const byte = bytes[at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
  };
  while (at < bytes.length) {
    const key = varint();
    const [field, wire] = [key >> 3, key & 7];
    if (wire === 0) fields.push({ field, value: varint() });
    else if (wire === 1) fields.push({ field, value: bytes.readDoubleLE((at += 8) - 8) });
    else if (wire === 5) fields.push({ field, value: bytes.readFloatLE((at += 4) - 4) });
    else {
      const length = varint();
      fields.push({ field, value: bytes.subarray(at, (at += length)) });
    }
  }
  return fields;
}
const scalarsIn = (path: string) => {
  const scalars: [tag: string, step: number, value: number][] = [];
  for (const event of eventsIn(path)) {
    const step = (event.find(({ field }) => field === 2)?.value ?? 0) as number;
    for (const { value } of event.filter(({ field }) => field === 5)) {
      for (const { value: inner } of fieldsOf(value as Buffer)) {
        const parts = fieldsOf(inner as Buffer);
        const simple = parts.find(({ field }) => field === 2)?.value;
        if (typeof simple === "number") scalars.push([String(parts[0]!.value), step, simple]);
      }
    }
  }
  return scalars;
};

describe("a checksum of an event file", () => {
  it("is CRC-32C (RFC 3720, B.4)", () => {
    expect(crc32c(Buffer.from("123456789"))).toBe(0xe3069283);
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(255))).toBe(0x62a8ab43);
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
  });
});

describe("train.fit with a log", () => {
  it("writes what it tells, to all loggers alike", async () => {
    const told: [string, number, number][] = [];
    const lines: string[] = [];
    const loggers = [train.log.jsonLines(), train.log.csv(), train.log.tensorBoard(), train.log.console({ stream: { write: (text) => lines.push(text) }, seconds: 0 })]; // prettier-ignore
    const result = await train.fit(build(), set, {
      ...options(),
      log: { dir, every: 1, loggers },
      callbacks: { onStep: ({ index, loss: value }) => told.push(["loss", index + 1, value]) },
    });
    const records = linesIn(dir);
    const steps = records.filter(({ kind }) => kind === "step");
    expect(steps.map(({ step, ...rest }) => ["loss", step, rest["loss" as never]])).toEqual(told);
    const validations = records.filter(({ kind }) => kind === "validation");
    expect(validations.map((record) => record["val.accuracy"])).toEqual(
      result.validations.map(({ metrics }) => metrics["val.accuracy"]),
    );
    const file = join(
      dir,
      readdirSync(dir).find((name) => name.startsWith("events.out.tfevents"))!,
    );
    const scalars = scalarsIn(file);
    expect(scalars.filter(([tag]) => tag === "train/loss")).toEqual(
      told.map(([, step, value]) => ["train/loss", step, Math.fround(value)]),
    );
    expect(scalars.filter(([tag]) => tag === "validation/accuracy")).toHaveLength(3);
    expect(new Set(scalars.map(([tag]) => tag))).toContain("train/gradNorm");
    expect(new Set(scalars.map(([tag]) => tag))).toContain("system/eventLoopDelay.max");
    const csv = readFileSync(join(dir, "metrics.csv"), "utf8").trimEnd().split("\n");
    expect(csv[0]).toBe("kind,step,epoch,time,name,value");
    const losses = csv.filter((line) => line.startsWith("step,") && line.includes(",loss,"));
    expect(losses.map((line) => Number(line.split(",")[5]))).toEqual(told.map(([, , value]) => value));
    expect(lines.filter((line) => line.startsWith("epoch"))).toHaveLength(3);
  });

  it("says in run.json what the run is and how it ended", async () => {
    const result = await train.fit(build(), set, { ...options(), log: { dir } });
    const { status, seed: from, options: asked, model, data: on, machine, versions, result: kept } = runFile(dir);
    expect([status, from, asked.batchSize, asked.steps]).toEqual(["done", 2, 8, 24]);
    expect(model.parameters).toBe(4 * 8 + 8 + 8 * 3 + 3);
    expect(model.layers["0.weight"]).toBe("f32 [8, 4]");
    expect(on.samples).toBe(60);
    expect(on.content).toMatch(/^[0-9a-f]{64} [0-9a-f]{64}$/);
    expect(versions.node).toBe(process.version);
    expect(machine.cores).toBeGreaterThan(0);
    expect(kept?.steps).toBe(result.steps);
    await expect(
      train.fit(build(), set, { ...options(), log: { dir }, signal: AbortSignal.abort() }),
    ).rejects.toThrow();
    const failing = { ...options(), optimizer: optim.sgd({ lr: 1e38 }), log: { dir } };
    await expect(train.fit(build(), set, failing)).rejects.toThrow(/NaN/);
    expect(runFile(dir)).toMatchObject({ status: "failed", error: expect.stringMatching(/NaN/) as string });
  });

  it("has every step once where the run went on from a checkpoint", async () => {
    const whole = join(dir, "whole");
    const parts = join(dir, "parts");
    const loggers = () => [train.log.jsonLines(), train.log.csv()];
    const plain = (folder: string) =>
      linesIn(folder).filter(({ kind }) => kind !== "system").map(({ time: _, samplesPerSecond: __, seconds: ___, ...rest }) => rest); // prettier-ignore
    await train.fit(build(), set, { ...options(), log: { dir: whole, every: 1, loggers: loggers() } });
    const checkpoint = { dir: join(dir, "checkpoints"), every: 5 };
    const run = train.fit(build(), set, { ...options(), checkpoint, log: { dir: parts, every: 1, loggers: loggers() }, callbacks: { onStep: ({ index }) => { if (index === 13) throw new Error("the power goes"); } } }); // prettier-ignore
    await expect(run).rejects.toThrow("the power goes");
    const { resumed } = await train.fit(build(), set, { ...options(), checkpoint, resume: "auto", log: { dir: parts, every: 1, loggers: loggers() } }); // prettier-ignore
    expect(resumed).toBeLessThan(14);
    expect(plain(parts)).toEqual(plain(whole));
    expect(runFile(parts).resumed.map(({ step }) => step)).toEqual([resumed]);
    const steps = (folder: string) =>
      readFileSync(join(folder, "metrics.csv"), "utf8").split("\n").filter((line) => /^step,.*,loss,/.test(line)).map((line) => line.split(",")[1]); // prettier-ignore
    expect(steps(parts)).toEqual(steps(whole));
  });

  it("tells TensorBoard to forget the steps that are taken again", async () => {
    const log = () => ({ dir, every: 1, loggers: [train.log.tensorBoard()] });
    await train.fit(build(), set, { ...options(), checkpoint: { dir, every: 5 }, log: log() });
    await train.fit(build(), set, { ...options(), resume: join(dir, "step-000000015"), log: log() });
    const second = readdirSync(dir).filter((name) => name.endsWith(".15")).map((name) => join(dir, name)); // prettier-ignore
    const [version, start] = [...eventsIn(second[0]!)];
    expect(String(version!.find(({ field }) => field === 3)!.value)).toBe("brain.Event:2");
    // Events from the step of this one on are purged (event_accumulator.py); step 15 was told before and stays.
    expect(start!.find(({ field }) => field === 2)!.value).toBe(16);
    expect(fieldsOf(start!.find(({ field }) => field === 7)!.value as Buffer)).toEqual([{ field: 1, value: 1 }]);
  });

  it("becomes a report, live or ended", async () => {
    await train.fit(build(), set, { ...options(), log: { dir, every: 1 } });
    const page = await report.fromRun(dir);
    expect(page.models[0]!.history!.steps).toHaveLength(24);
    expect(page.models[0]!.history!.epochs).toHaveLength(3);
    await report.write(join(dir, "report.html"), page);
    expect(readFileSync(join(dir, "report.html"), "utf8")).toContain("Came to its end");
    await expect(report.fromRun(tmpdir())).rejects.toThrow(/has no run\.json/);
  });

  it("loses no more than a second where its process is killed", { timeout: 60_000 }, async () => {
    const child = compiled(new URL("../../resume/logged.ts", import.meta.url));
    const running = fork(child, [dir], { stdio: "ignore" });
    const taken: { step: number; time: number }[] = [];
    running.on("message", (message) => taken.push(message as { step: number; time: number }));
    await new Promise<void>((settle) => {
      running.on("message", () => {
        if (taken.at(-1)!.time - taken[0]!.time > 3500) running.kill("SIGKILL");
      });
      running.on("exit", () => settle());
    });
    const text = readFileSync(join(dir, "metrics.jsonl"), "utf8");
    const whole = text.slice(0, text.lastIndexOf("\n")).split("\n").map((line) => JSON.parse(line) as LogRecord); // prettier-ignore
    const steps = whole.filter(({ kind }) => kind === "step").map(({ step }) => step);
    expect(steps).toEqual(Array.from({ length: steps.length }, (_, i) => i + 1));
    // What the machine kept the process waiting for is not its own delay: its timer and its write had to wait as steps had.
    const waits = taken.slice(1).map(({ time }, i) => time - taken[i]!.time);
    const limit = 1000 + 3 * Math.max(...waits);
    const before = taken.filter(({ time }) => time <= taken.at(-1)!.time - limit).at(-1)?.step ?? 0;
    expect(steps.length).toBeGreaterThanOrEqual(before);
    expect(runFile(dir).status).toBe("running");
  });

  it("says where nothing can be written", async () => {
    writeFileSync(join(dir, "file"), "");
    const inside = join(dir, "file", "run");
    await expect(train.fit(build(), set, { ...options(), log: { dir: inside } })).rejects.toThrow(FileError);
  });

  it.each([
    [{}, /dir must be the path of a folder/],
    [{ dir: "x", every: 0 }, /every must be a whole number from 1 on/],
    [{ dir: "x", loggers: [train.log.jsonLines] }, /loggers must be a list .*call it/],
    [{ dir: "x", logers: [] }, /did you mean "loggers"/],
  ])("refuses %j", (log, says) => {
    expect(() => train.fit(build(), set, { ...options(), log: log as never })).toThrow(ArgumentError);
    expect(() => train.fit(build(), set, { ...options(), log: log as never })).toThrow(says);
  });
});
