// The whole form of the tests of damaged and broken-off checkpoints: `npm run test:checkpoints`. Needs strace for the second half.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { damagedCheckpoints } from "./damaged.js";
import { failingWrites } from "./failing-writes.js";
import { canTrace } from "./system-calls.js";

const folder = mkdtempSync(join(tmpdir(), "checkpoints-"));
const below = (n: number) => Math.floor(Math.random() * n);
let failed = 0;
process.emitWarning = () => undefined; // hundreds of them, as they should be
const tell = (what: string, result: { readonly wrong: readonly string[] }) => {
  console.log(`${what}:`, result);
  if (result.wrong.length > 0) failed += 1;
};
try {
  tell("damaged files", await damagedCheckpoints(join(folder, "damaged"), { flips: 500, others: 20, below }));
  for (const how of canTrace() ? (["ENOSPC", "EIO", "kill"] as const) : []) {
    tell(`${how} at every call`, await failingWrites({ folder: join(folder, how), how }));
  }
  if (!canTrace()) console.log("no strace here: failing calls are left out");
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = failed > 0 ? 1 : 0;
