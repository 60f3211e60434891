// What docs/guide/command-line.md takes for granted: tables of customers and houses, rows, photos of two kinds, a classifier of digits.
import { mkdirSync, writeFileSync } from "node:fs";
import { artifact, train } from "athanor";
import { encode } from "fast-png";
import { digits, network, recipe } from "../digits.js";

const table = (name: string, rows: readonly object[]) =>
  writeFileSync(name, [Object.keys(rows[0]!), ...rows.map((row) => Object.values(row) as unknown[])].join("\n"));

const cities = ["Lyon", "Oslo", "Porto", ""];
const customers = Array.from({ length: 400 }, (_, i) => {
  const [age, visits] = [20 + ((i * 7) % 50), (i * 13) % 31];
  return { age, city: cities[i % 4], visits, tier: age + visits > 60 ? "gold" : "free" };
});
table("customers.csv", customers);
const rows = customers.slice(0, 5).map(({ age, city, visits }) => ({ age, city, visits }));
table("rows.csv", rows);
writeFileSync("rows.json", JSON.stringify(rows));
table(
  "houses.csv",
  customers.map(({ age, visits }, id) => ({
    id,
    address: `${id} High Street`,
    rooms: age % 7,
    price: 3 * visits + age,
  })),
);

for (const [kind, grey] of Object.entries({ "photos/cat": 40, "photos/dog": 200, new: 120 })) {
  mkdirSync(kind, { recursive: true });
  for (let i = 0; i < 20; i++) {
    const data = Uint8Array.from({ length: 256 }, (_, at) => grey + ((at * 7 + i * 3) % 40));
    writeFileSync(`${kind}/${i}.png`, encode({ width: 16, height: 16, data, channels: 1, depth: 8 }));
  }
}

const model = network(32);
await train.fit(model, digits.train, recipe);
await artifact.save(model, "out/digits");
