// Writes customers.csv: 800 made-up customers of a phone company. The plan that suits them follows from data used, age, city and
// years as a customer, with some chance; some cells are missing, as in any table that people filled in.
//   node examples/customers/generate.mjs
import { writeFileSync } from "node:fs";

let state = 20260101;
const random = () => {
  state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0;
  const z = Math.imul(state ^ (state >>> 12), 0x297a2d39);
  return ((z ^ (z >>> 15)) >>> 0) / 2 ** 32;
};
const one = (list) => list[Math.floor(random() * list.length)];
const sometimes = (share, cell) => (random() < share ? "" : cell);

const rows = Array.from({ length: 800 }, (_, i) => {
  const age = 18 + Math.floor(random() * 62);
  const city = one(["Lyon", "Paris", "Nice", "Lille", "Paris", "Lyon"]);
  const contract = one(["monthly", "yearly"]);
  const years = Math.floor(random() * 12);
  const gigabytes = Math.max(0, 28 - 0.35 * age + (city === "Paris" ? 8 : 0) + 6 * (random() - 0.5));
  const wanted = gigabytes + (contract === "yearly" ? 3 : 0) + 0.5 * years + 2 * (random() - 0.5);
  const plan = wanted > 26 ? "unlimited" : wanted > 14 ? "plus" : "basic";
  const cells = [1000 + i, sometimes(0.08, age), sometimes(0.06, city), contract, sometimes(0.04, years)];
  return [...cells, sometimes(0.1, gigabytes.toFixed(1)), plan].join(",");
});
const text = ["id,age,city,contract,years,gigabytes,plan", ...rows].join("\n");
writeFileSync(new URL("customers.csv", import.meta.url), `${text}\n`);
