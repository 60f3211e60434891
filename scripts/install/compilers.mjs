// What is installed here to compile with.
import { spawnSync } from "node:child_process";

/** The first of the given programs that runs here, or undefined. */
export function firstProgram(...names) {
  return names.find((name) => name && spawnSync(name.split(" ")[0], ["--version"], { stdio: "ignore" }).status === 0);
}

/** "ccache " when it is installed and nobody switched it off (CCACHE_DISABLE, ATHANOR_CCACHE=0). */
export function ccachePrefix(env = process.env) {
  if (env.CCACHE_DISABLE || env.ATHANOR_CCACHE === "0" || process.platform === "win32") return "";
  return firstProgram("ccache") ? "ccache " : "";
}

/** CC and CXX for node-gyp: what the environment says, through ccache where that is there and not named already. */
export function compilerEnvironment(env = process.env) {
  const prefix = ccachePrefix(env);
  const through = (compiler) => (!compiler || compiler.startsWith("ccache") ? compiler : prefix + compiler);
  if (process.platform === "win32") return {};
  const [cc, cxx] =
    process.platform === "darwin" ? ["clang", "clang++"] : [firstProgram("gcc") ?? "cc", firstProgram("g++") ?? "c++"];
  return { CC: through(env.CC || cc), CXX: through(env.CXX || cxx) };
}
