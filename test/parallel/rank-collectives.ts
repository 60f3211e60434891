// Collectives of a traced function on several ranks: what they give, their gradients, and what the ledger counts.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { array, compile, grad, parallel, type Tensor } from "athanor";

const [, , into, fault] = process.argv as [string, string, string, string | undefined];
const { rank, size } = await parallel.connect({ deadline: 30 });
const all = parallel.group("all");
const pairs = parallel.group(
  "pairs",
  Array.from({ length: Math.ceil(size / 2) }, (_, p) => [2 * p, 2 * p + 1].filter((r) => r < size)),
);

const mine = (count: number) => Float32Array.from({ length: count }, (_, i) => 10 * (rank + 1) + i);
const rows = [3, 1, 2, 0].slice(0, size);

if (fault === "differ") {
  const f = compile((x: Tensor) => {
    const sum = parallel.allReduce(x, { group: all });
    return parallel.allReduce(sum.mul(2), { group: all, reduce: rank === 1 ? "max" : "sum" });
  });
  await f.run(array(mine(6), [2, 3]));
}

const f = compile((x: Tensor, y: Tensor) => ({
  sum: parallel.allReduce(x, { group: all }),
  most: parallel.allReduce(x, { group: all, reduce: "max" }),
  pair: parallel.allReduce(x, { group: pairs }),
  gathered: parallel.allGather(y, { group: all, axis: 1, sizes: rows }),
  scattered: parallel.reduceScatter(x, { group: all, axis: 1 }),
  first: parallel.broadcast(x, { group: all, root: size - 1 }),
  turned: parallel.allToAll(x, { group: all, split: 1, concat: 0 }),
}));
const x = array(mine(2 * size * 2), [2, 2 * size]);
const y = array(mine(2 * rows[rank]!), [2, rows[rank]!]);
const results = await f.run(x, y);

// A chain of ranks: each adds to what comes from the one before, and gradients come back the other way.
const chain = compile(
  grad((w: Tensor) => {
    const after = w.sum().mul(0);
    const come = rank === 0 ? w : parallel.receive(w.shape, { group: all, from: rank - 1, channel: 3, after }).add(w);
    if (rank === size - 1) return come.square().sum();
    return parallel.send(come, { group: all, to: rank + 1, channel: 3 });
  }),
);
const backward = await chain.run(array(mine(4)));

const shown = Object.fromEntries(
  Object.entries(results).map(([name, value]) => [
    name,
    { shape: value.shape, data: [...(value.data as Float32Array)] },
  ]),
);
writeFileSync(
  join(into, `${rank}.json`),
  JSON.stringify({ rank, size, results: shown, backward: backward.toArray(), ledger: parallel.ledger() }),
);
