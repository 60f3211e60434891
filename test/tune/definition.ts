// A search that tests run in worker threads and processes.
import { tune } from "athanor";
import { pause } from "./table.js";

export default tune.define(
  { x: tune.uniform(0, 1), k: tune.choice(["a", "b", "c"]) },
  async (trial, { params }) => {
    for (let step = 0; step < 3; step++) {
      await pause(Math.random() * 4);
      trial.report(step, params.x * (step + 1));
      if (trial.shouldPrune()) trial.prune();
    }
    // Kills its process, once.
    if (
      process.env.ATHANOR_TEST_CRASH !== undefined &&
      trial.number === 5 &&
      trial.attempt === 0 &&
      process.send !== undefined
    ) {
      const { existsSync, writeFileSync } = await import("node:fs");
      if (!existsSync(process.env.ATHANOR_TEST_CRASH)) {
        writeFileSync(process.env.ATHANOR_TEST_CRASH, "");
        process.kill(process.pid, "SIGKILL");
      }
    }
    if (process.env.ATHANOR_TEST_THROW !== undefined && trial.number === 4) throw new TypeError("four");
    return params.x;
  },
  { trials: 24, lag: 6, lease: 1, pruner: tune.asha({ factor: 2 }), name: "defined" },
);
