// What docs/guide/artifacts.md takes for granted: a table of customers, some cells missing, and one without its label.
import { writeFileSync } from "node:fs";

const cities = ["Lyon", "Oslo", "Porto", ""];
const plans = ["free", "silver", "gold"];
const rows = Array.from({ length: 200 }, (_, i) => ({
  cells: [20 + ((i * 7) % 50), cities[i % 4], `6900${i % 5}`, i % 6 === 0 ? "" : i % 9],
  plan: plans[((i * 7) % 50 > 25 ? 1 : 0) + (i % 4 === 1 ? 1 : 0)],
}));
const header = "age,city,zip,visits";
writeFileSync(
  "customers.csv",
  [`id,${header},plan`, ...rows.map(({ cells, plan }, i) => [i, ...cells, plan].join())].join("\n"),
);
writeFileSync("new.csv", [header, ...rows.slice(0, 5).map(({ cells }) => cells.join())].join("\n"));
