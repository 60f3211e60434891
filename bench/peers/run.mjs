#!/usr/bin/env node
// Measures Athanor and its peers on the same work, in turns, beside the machine's ceiling. README.md has the protocol.
//
//   node bench/peers/run.mjs [--suite train,optim,gemm,inference,quant] [--case w1,…] [--threads 1,2] [--rounds 5] [--seconds 1]
//                            [--athanor "COMMAND"] [--no-athanor] [--systems torch,torch-fused,…] [--out bench/results/peers]

import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { parseArgs } from "node:util";
import { environment, here, installOnnxruntime, limitsProgram, machine, python, root } from "./environment.mjs";
import { cases } from "./side.mjs";
import { attachRatios, markdown, summarise } from "./summary.mjs";
import { alternate, Side } from "./turns.mjs";

const torch =
  (script, extra = []) =>
  (name, threads) => [python(), [`${here}${script}`, "--case", name, "--threads", String(threads), ...extra]];

const onnxruntime = (script) => (name, threads) => {
  installOnnxruntime();
  return [process.execPath, [`${here}${script}`, "--case", name, "--threads", String(threads)]];
};

/** Another case of Athanor's own with the same number of rows, as a peer. */
const own = (system, scheme) => (name, threads) => {
  const [command, args] = athanorCommand("quant", name.replace(/.*(?=-m)/, scheme), threads) ?? [];
  return command && [command, [...args, "--system", system]];
};

const peers = {
  train: { torch: torch("torch_train.py"), "torch-fused": torch("torch_train.py", ["--fused"]) },
  optim: { torch: torch("torch_optim.py") },
  gemm: { torch: torch("torch_gemm.py") },
  inference: { onnxruntime: onnxruntime("ort-inference.mjs") },
  quant: {
    "torch-onednn": torch("torch_quant.py", ["--form", "onednn"]),
    "torch-fbgemm": torch("torch_quant.py", ["--form", "fbgemm"]),
    onnxruntime: onnxruntime("ort-quant.mjs"),
    "athanor-int4-g64": own("athanor-int4-g64", "int4-g64"),
    "athanor-f32": own("athanor-f32", "f32"),
  },
};

const { values: options } = parseArgs({
  options: {
    suite: { type: "string", default: Object.keys(peers).join() },
    case: { type: "string" },
    threads: { type: "string", default: "1,2" },
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "1" },
    athanor: { type: "string" },
    "no-athanor": { type: "boolean", default: false },
    systems: { type: "string" },
    out: { type: "string" },
  },
});
const rounds = Number(options.rounds);
const seconds = Number(options.seconds);
const list = (text) => text?.split(",").map((word) => word.trim());

/** The command of Athanor's side with {suite}, {case} and {threads} filled in; null if there is none. */
function athanorCommand(suite, name, threads) {
  if (options["no-athanor"]) return null;
  const usual = existsSync(`${root}bench/side.ts`)
    ? `${root}node_modules/.bin/tsx ${root}bench/side.ts --suite {suite} --case {case} --threads {threads}`
    : "";
  const template = options.athanor ?? process.env.ATHANOR_BENCH_COMMAND ?? usual;
  if (!template) return null;
  const filled = template.replace(/\{(\w+)\}/g, (_, key) => ({ suite, case: name, threads })[key]);
  const [command, ...args] = filled.split(" ");
  return [command, args];
}

async function measure(suite, name, threads) {
  const env = environment(threads);
  const { ceiling, peers: systems = Object.keys(peers[suite]) } = cases[suite][name];
  const wanted = systems.filter((system) => list(options.systems)?.includes(system) ?? true);
  const athanor = athanorCommand(suite, name, threads);
  const commands = [
    athanor,
    ...wanted.map((system) => peers[suite][system](name, threads)),
    [limitsProgram(), [ceiling, String(threads)]],
  ].filter((command) => command);
  const turns = await alternate(
    commands.map(([command, args]) => new Side(command, args, env)),
    { rounds, seconds },
  );
  const limits = turns.pop();
  const rows = turns.map((each) => summarise(each, athanor ? turns[0] : undefined, limits));
  return attachRatios(rows.map((row) => ({ ...row, case: name }))); // our own dense layer is a case of another name
}

const result = { date: new Date().toISOString().slice(0, 10), machine: machine(), rounds, seconds, rows: [] };
let failures = 0;
for (const suite of list(options.suite)) {
  if (!peers[suite]) throw new Error(`--suite: unknown suite ${suite}, expected ${Object.keys(peers).join(", ")}`);
  for (const name of Object.keys(cases[suite])) {
    if (options.case && !list(options.case).includes(name)) continue;
    for (const threads of list(options.threads).map(Number)) {
      try {
        const rows = await measure(suite, name, threads);
        result.rows.push(...rows);
        for (const row of rows) console.log(JSON.stringify(row));
      } catch (error) {
        failures++;
        console.error(`${suite} ${name}, ${threads} threads: ${error.message}`);
      }
    }
  }
}
const page = markdown(result);
console.error(`\n${page}`);
if (options.out) {
  const path = resolve(options.out);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.json`, `${JSON.stringify(result, null, 1)}\n`);
  writeFileSync(`${path}.md`, page);
}
process.exitCode = failures > 0 ? 1 : 0;
