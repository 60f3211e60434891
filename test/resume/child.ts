// One process of a run: `child.ts <scenario> <dir> <every> <result file>`.
import { renameSync, writeFileSync } from "node:fs";
import { run, type Scenario } from "./scenarios.js";

const [scenario, dir, every, file] = process.argv.slice(2) as [Scenario, string, string, string];
process.send?.("begun");
const result = await run(scenario, { dir, every: Number(every) });
writeFileSync(`${file}.part`, result);
renameSync(`${file}.part`, file);
