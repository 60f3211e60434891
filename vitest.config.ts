import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

// Tests run on the TypeScript sources; the engine is the one in build/Release. Forked processes, because the addon outlives
// a module graph and a crash in native code must not take the runner with it. Programs that tests start in processes of their own
// (ranks, workers, victims of kills, the command line) run on dist/, which starts ten times faster: it is made fresh before the first.
export default defineConfig({
  resolve: { alias: [{ find: /^athanor$/, replacement: here("lib/index.ts") }] },
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/types/**", "**/node_modules/**"],
    pool: "forks",
    maxWorkers: availableParallelism(),
    globalSetup: ["test/fresh-dist.ts"],
    env: { TSX_TSCONFIG_PATH: here("tsconfig.run.json") },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    server: { deps: { external: [/\.node$/] } },
    typecheck: { enabled: false },
  },
});
