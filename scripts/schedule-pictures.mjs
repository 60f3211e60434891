// Draws the curves of docs/guide/schedules.md: every `schedule.` expression of its table, over a run of 100 steps.
//   node scripts/schedule-pictures.mjs (after npm run build)
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { schedule } from "athanor";
import { plotSchedule } from "athanor/report";

const guide = fileURLToPath(new URL("../docs/guide/schedules.md", import.meta.url));
const folder = fileURLToPath(new URL("../docs/guide/schedules/", import.meta.url));
mkdirSync(folder, { recursive: true });

for (const [, expression, name] of readFileSync(guide, "utf8").matchAll(
  /^\| `(schedule\..*)` \| !\[.*\]\(schedules\/(.*)\.svg\)/gm,
)) {
  const build = new Function("schedule", `return ${expression};`);
  writeFileSync(`${folder}${name}.svg`, `${await plotSchedule(build(schedule), { steps: 100 })}\n`);
}
