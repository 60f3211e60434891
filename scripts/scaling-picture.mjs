// Draws docs/guide/distributed/scaling.svg, the cost model of lib/parallel/cost.ts up to 1,024 ranks: npx tsx scripts/scaling-picture.mjs
// A transformer of 124 million parameters, 1,024 sequences of 1,024 tokens a batch, on ranks of 100 GFLOP/s with a host each, by two networks.
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { predictData, predictPipeline } from "../lib/parallel/cost.js";
import { makeSchedule } from "../lib/pipeline/index.js";

const [parameters, tokens, layers, width, batchSize] = [124e6, 1024, 12, 768, 1024];
const seconds = (rows) => (6 * parameters * tokens * rows) / 100e9;
const work = {
  batchSize,
  parameters,
  states: 2,
  seconds,
  update: (28 * parameters) / 20e9,
  keptPerRow: 34 * layers * tokens * width,
};
const machine = (latency, bandwidth) => ({ latency, bandwidth, ranksPerHost: 1, cores: 1, threads: 1 });
const networks = { "1 Gbit/s": machine(50e-6, 0.117e9), "100 Gbit/s": machine(5e-6, 11e9) };
const ranks = Array.from({ length: 11 }, (_, i) => 2 ** i);

function pipelines(on, n) {
  const [stages, copies] = [4, n / 4];
  const microBatches = Math.min(32, batchSize / copies);
  const rows = batchSize / copies / microBatches;
  const pass = seconds(rows) / stages / 3;
  const costs = Array.from({ length: stages }, () => ({
    forward: pass,
    backwardInput: pass,
    backwardWeight: pass,
    kept: 1,
    transfer: 0,
  }));
  const sends = costs.map(() => 4 * rows * tokens * width);
  const schedule = makeSchedule("scaling", "1f1b", { ranks: stages, microBatches });
  return predictPipeline(work, on, { schedule, costs, sends, copies, largest: 1 / stages }).seconds;
}

const lines = Object.entries(networks).flatMap(([name, on], k) => [
  { name: `data, ${name}`, color: ["#4e79a7", "#59a14f"][k], points: ranks.map((n) => [n, predictData(work, on, { ranks: n, shards: Math.max(4, n), buckets: 20 }).seconds]) },
  { name: `pipeline 4 × data, ${name}`, color: ["#e15759", "#f28e2b"][k], points: ranks.filter((n) => n >= 4).map((n) => [n, pipelines(on, n)]) },
]); // prettier-ignore
const alone = lines[0].points[0][1];
const x = (n) => 60 + (Math.log2(n) / 10) * 620;
const y = (speed) => 330 - (Math.log2(Math.max(1, speed)) / 10) * 300;
const curves = lines.map(({ name, color, points }, i) => {
  const path = points.map(([n, s]) => `${x(n).toFixed(1)},${y(alone / s).toFixed(1)}`).join(" ");
  const label = `<text x="80" y="${48 + 16 * i}" fill="${color}">${name}: ${(alone / points.at(-1)[1]).toFixed(0)} × at 1,024</text>`;
  return `<polyline points="${path}" fill="none" stroke="${color}" stroke-width="2"/>${label}`;
});
const ticks = ranks.map((n) => `<text x="${x(n)}" y="348" text-anchor="middle">${n}</text><text x="52" y="${y(n) + 4}" text-anchor="end">${n}×</text>`); // prettier-ignore
const ideal = `<line x1="${x(1)}" y1="${y(1)}" x2="${x(1024)}" y2="${y(1024)}" stroke="#bbb" stroke-dasharray="4 4"/>`;
const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 700 370" font-family="sans-serif" font-size="11">
<text x="60" y="18" font-size="13">Predicted speed against one rank, by ranks (simulated, never measured beyond this machine)</text>
${ideal}
${[...ticks, ...curves].join("\n")}
</svg>
`;
writeFileSync(fileURLToPath(new URL("../docs/guide/distributed/scaling.svg", import.meta.url)), svg);
