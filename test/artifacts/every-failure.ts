// npm run test:failures [-- <ENOSPC|EIO|kill> <beside|inside>]: every call of a save fails, or is where the process is killed.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { everyFailure } from "./failures.js";

const [how, where] = process.argv.slice(2);
for (const kind of ["ENOSPC", "EIO", "kill"] as const) {
  for (const inside of [false, true]) {
    if ((how ?? kind) !== kind || (where !== undefined && inside !== (where === "inside"))) continue;
    const folder = mkdtempSync(join(tmpdir(), "athanor-failures-"));
    try {
      const result = await everyFailure({ folder, how: kind, inside });
      console.log(`${kind}, ${inside ? "into the folder itself" : "by exchange"}:`, result);
      if (result.wrong.length > 0) process.exitCode = 1;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
}
