// npm run test:fuzz [-- <count> <seed>]: damaged artifacts of all kinds.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { damage } from "./damage.js";

const folder = mkdtempSync(join(tmpdir(), "athanor-damage-"));
try {
  const result = await damage({
    folder,
    count: Number(process.argv[2] ?? 20_000),
    seed: Number(process.argv[3] ?? Date.now() & 0xffffff),
  });
  console.log({ ...result, wrong: result.wrong.slice(0, 20) });
  if (result.wrong.length > 0) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
