// npm run test:kill [-- <loads> <folder>]: 4 processes load while 2 others save and are killed at random.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hammer } from "./hammer.js";

const loads = Number(process.argv[2] ?? 200_000);
const folder = mkdtempSync(join(process.argv[3] ?? tmpdir(), "athanor-kill-"));
const begun = Date.now();
try {
  const result = await hammer({ folder, loaders: 4, loads, savers: 2, seed: Date.now() & 0xffff });
  console.log({ ...result, seconds: Math.round((Date.now() - begun) / 1000) });
  const whole = result.loads >= loads && result.mixtures === 0 && Object.keys(result.errors).length === 0;
  const clean = String(result.beside) === "model" && String(result.files) === "graph.json,weights.safetensors";
  if (!whole || !clean) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
