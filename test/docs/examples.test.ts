// The examples in docstrings: all compile and run, and a line that ends in "// value" has that value.
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { chdir, cwd } from "node:process";
import { transformSync } from "esbuild";
import ts from "typescript";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as artifact from "../../lib/artifact/index.js";
import * as data from "../../lib/data/index.js";
import * as device from "../../lib/device/index.js";
import * as distill from "../../lib/distill/index.js";
import * as loss from "../../lib/loss/index.js";
import * as metrics from "../../lib/metrics/index.js";
import * as nn from "../../lib/nn/index.js";
import * as ops from "../../lib/ops/index.js";
import * as optim from "../../lib/optim/index.js";
import { prune } from "../../lib/prune/index.js";
import { quantize } from "../../lib/quantize/index.js";
import * as report from "../../lib/report/index.js";
import { unknownOption } from "../../lib/errors.js";
import { unawaited } from "../../lib/guidance/unawaited.js";
import { got } from "../../lib/names/got.js";
import * as parallel from "../../lib/parallel/index.js";
import * as train from "../../lib/train/index.js";
import { progress } from "../../lib/train/run/progress.js";
import * as schedule from "../../lib/schedule/index.js";
import { array, compile, grad, Parameter, valueAndGrad } from "../../lib/tensor/index.js";
import { tune } from "../../lib/tune/index.js";
import { exampleValues, makeExampleFiles } from "./example-files.js";

const lib = resolve(import.meta.dirname, "../../lib");
const engine = { array, compile, grad, Parameter, valueAndGrad };
const scope = {
  ...engine,
  artifact,
  data,
  device,
  distill,
  loss,
  metrics,
  nn,
  ops,
  optim,
  prune,
  quantize,
  report,
  schedule,
  train,
  tune,
  parallel,
  unknownOption,
  unawaited,
  got,
  progress,
};

// What an example may take for granted, beside the package itself.
const prelude = `
import { writeFile } from "node:fs/promises";
import { array, compile, grad, Parameter, valueAndGrad, type NdArray, type Tensor } from "../tensor/index.js";
import * as artifact from "../artifact/index.js";
import * as data from "../data/index.js";
import * as device from "../device/index.js";
import * as distill from "../distill/index.js";
import * as loss from "../loss/index.js";
import * as metrics from "../metrics/index.js";
import * as nn from "../nn/index.js";
import * as ops from "../ops/index.js";
import * as optim from "../optim/index.js";
import { prune } from "../prune/index.js";
import { quantize } from "../quantize/index.js";
import * as parallel from "../parallel/index.js";
import * as report from "../report/index.js";
import * as schedule from "../schedule/index.js";
import * as train from "../train/index.js";
import { tune, type ParamsOf, type Study, type Trial } from "../tune/index.js";
import { unknownOption } from "../errors.js";
import { unawaited } from "../guidance/unawaited.js";
import { got } from "../names/got.js";
import { progress, type StepProgress } from "../train/run/progress.js";
declare const image: Float32Array;
declare const [pixels, labels]: [Float32Array, number[]];
declare const [scores, truth]: [NdArray, NdArray];
declare const set: { train: data.Dataset };
declare const run: AsyncIterable<StepProgress>;
declare const [dense, pruned]: [artifact.LoadedModel, artifact.LoadedModel];
`;

interface Example {
  readonly place: string;
  readonly code: string;
}

/** The text of every `@example` of a file, up to the next tag or the end of its comment. */
function examplesOf(file: string): Example[] {
  const text = readFileSync(join(lib, file), "utf8");
  return [...text.matchAll(/\* @example\n((?:\s*\*(?!\/| @).*\n)+)/g)].map((match) => ({
    place: `${file}:${text.slice(0, match.index).split("\n").length}`,
    code: match[1]!.replace(/^\s*\* ?/gm, ""),
  }));
}

const files = readdirSync(lib, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
const examples = files.flatMap(examplesOf);

/** What the compiler has to say of each example, each a module of its own in a folder that is only in memory. */
function complaints(): string[] {
  const sources = new Map(
    examples.map(({ code }, i) => [
      join(lib, "examples", `${i}.ts`),
      `${prelude}async function example() {\n${code}\n}\nvoid example;`,
    ]),
  );
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    target: ts.ScriptTarget.ES2023,
    lib: ["lib.es2023.d.ts", "lib.esnext.disposable.d.ts"],
    module: ts.ModuleKind.NodeNext,
    types: ["node"],
  };
  const host = ts.createCompilerHost(options);
  const [read, exists] = [host.readFile.bind(host), host.fileExists.bind(host)];
  host.readFile = (path) => sources.get(path) ?? read(path);
  host.fileExists = (path) => sources.has(path) || exists(path);
  const getSource = host.getSourceFile.bind(host);
  host.getSourceFile = (path, version, ...rest) => {
    const text = sources.get(path);
    return text === undefined ? getSource(path, version, ...rest) : ts.createSourceFile(path, text, version);
  };
  const program = ts.createProgram([...sources.keys()], options, host);
  return [...sources.keys()].flatMap((path, i) => {
    const source = program.getSourceFile(path);
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map(
      ({ messageText }) => `${examples[i]!.place}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`,
    );
  });
}

describe("examples in docstrings", () => {
  it("compile", { timeout: 120_000 }, () => {
    expect(examples.length).toBeGreaterThan(20);
    expect(complaints()).toEqual([]);
  });

  it("parse in Node.js 20 and 22, which do not know using", () => {
    expect(examples.filter(({ code }) => /^\s*(await )?using /m.test(code)).map(({ place }) => place)).toEqual([]);
  });

  // "expression; // value", the value a number or an array of them.
  const valued = /^(.*); \/\/ ([[\d][-\d.e, \]]*)$/gm;
  const former = cwd();
  let folder = "";
  let values: Record<string, unknown> = {};
  beforeAll(async () => {
    chdir((folder = await makeExampleFiles()));
    values = await exampleValues();
  }, 120_000);
  afterAll(() => {
    chdir(former);
    rmSync(folder, { recursive: true });
  });

  it.each(examples.map((example) => [example.place, example] as const))("%s", async (_, { code }) => {
    const checks = code.replace(valued, "expect($1, $2);");
    const { code: script } = transformSync(`var example = async () => {\n${checks}\n};`, {
      loader: "ts",
      target: "es2022", // no "using" in the oldest Node.js that we run on
    });
    const check = (got: unknown, want: unknown) => {
      if (typeof want === "number") expect(got).toBeCloseTo(want, 12);
      else expect(got).toEqual(want);
    };
    const all = { ...scope, ...values };
    const body = `${script}\nreturn example();`;
    // The text comes from this repository's own comments.
    const example = new Function(...Object.keys(all), "expect", body) as (...values: unknown[]) => Promise<void>; // eslint-disable-line @typescript-eslint/no-implied-eval
    await example(...Object.values(all), check);
  });
});
