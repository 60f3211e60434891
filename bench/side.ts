// Athanor's side of bench/peers/run.mjs: prepares one case of a suite and measures it once for every line on stdin.
//   bench/side.ts --suite train --case w1 --threads 1
// --system names a side that stands beside another of Athanor's own.
import { parseArgs } from "node:util";
import { isa, version } from "athanor";
import { loadSuite } from "./suite.js";

interface Peers {
  serve: (measured: object) => Promise<void>;
}

const { values } = parseArgs({
  options: {
    suite: { type: "string", default: "" },
    case: { type: "string", default: "" },
    threads: { type: "string", default: "1" },
    system: { type: "string", default: "athanor" },
  },
});
const suite = await loadSuite(values.suite);
const item = suite.cases.find(({ name }) => name === values.case);
if (!item)
  throw new Error(
    `--case: ${suite.name} has no case "${values.case}", expected one of ${suite.cases.map(({ name }) => name).join(", ")}`,
  );

const { serve } = (await import(new URL("./peers/side.mjs", import.meta.url).href)) as Peers;
const { step, dispose } = await item.prepare();
await serve({
  suite: suite.name,
  case: item.name,
  system: values.system,
  variant: version,
  threads: Number(values.threads),
  isa: isa(),
  definition: { unit: item.unit, work: item.work, perStep: item.perStep, ceiling: item.ceiling },
  step,
});
await dispose?.();
