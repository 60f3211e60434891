// Draws the schedules of docs/guide/distributed.md, 4 ranks and 8 micro-batches: npx tsx scripts/pipeline-pictures.mjs
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { drawPipeline, makeSchedule, scheduleNames, simulatePipeline } from "../lib/pipeline/index.js";

const folder = fileURLToPath(new URL("../docs/guide/distributed/", import.meta.url));
mkdirSync(folder, { recursive: true });
for (const name of scheduleNames) {
  const chunks = name === "interleaved" ? 2 : 1;
  const simulation = simulatePipeline(name, makeSchedule(name, name, { ranks: 4, microBatches: 8, chunks }));
  const title = `${name}, bubble ${(100 * simulation.bubble).toFixed(1)} %`;
  writeFileSync(`${folder}${name}.svg`, drawPipeline({ ...simulation, chunks }, title));
}
