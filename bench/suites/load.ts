// What a program pays before its first line: a fresh process that imports the package, and the same process without it.
import { spawnSync } from "node:child_process";
import type { Suite } from "../suite.js";

const fresh = (source: string) => () => ({
  step: () => spawnSync(process.execPath, ["--input-type=module", "-e", source], { stdio: "ignore" }),
});

export default {
  name: "load",
  cases: [
    { name: "node alone", unit: "ms", work: { flops: 0, bytes: 0 }, prepare: fresh("") },
    { name: "import athanor", unit: "ms", work: { flops: 0, bytes: 0 }, prepare: fresh('import "athanor"') },
  ],
} satisfies Suite;
