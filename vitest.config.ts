import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

// Tests run on the TypeScript sources; the engine is the one in build/Release. Forked processes, because the addon outlives
// a module graph and a crash in native code must not take the runner with it.
export default defineConfig({
  resolve: { alias: [{ find: /^athanor$/, replacement: here("lib/index.ts") }] },
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/types/**", "**/node_modules/**"],
    pool: "forks",
    testTimeout: 60_000,
    hookTimeout: 60_000,
    server: { deps: { external: [/\.node$/] } },
    typecheck: { enabled: false },
  },
});
