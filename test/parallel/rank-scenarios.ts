// One rank of `data.test.ts`: writes what every scenario came to, and the bytes that it sent, into a file of its own.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parallel } from "athanor";
import { names, run, type Division, type Outcome } from "./scenarios.js";

const [division, folder] = process.argv.slice(2);
const { rank, size, name } = await parallel.connect();
const outcomes: Record<string, Outcome> = {};
for (const scenario of names) outcomes[scenario] = await run(scenario, JSON.parse(division!) as Division);
writeFileSync(join(folder!, `${rank}.json`), JSON.stringify({ rank, size, name, outcomes, ledger: parallel.ledger() }));
