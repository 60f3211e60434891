// Flags for warnings beside those of native/flags.json: in a checkout, with the compiler that continuous integration has, a warning is
// an error. An installation, and a compiler that may know new warnings, never fails for one. binding.gyp runs this file.
import { spawnSync } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { argv, env } from "node:process";
import { fileURLToPath } from "node:url";

const known = [
  { version: /clang version 14\./, flags: ["-Wswitch-enum"] },
  { version: /^g\+\+.* 12\.\d+\.\d+$/m, flags: ["-Wswitch-enum", "-Werror"] },
];

/** What to compile the engine with by `compiler`, which may go through ccache. */
export function warningFlags(compiler) {
  if (!existsSync(new URL("../generate/sources.mjs", import.meta.url))) return [];
  const program = (compiler ?? "g++").replace(/^\S*ccache /, "");
  const { stdout } = spawnSync(program, ["--version"], { encoding: "utf8" });
  return known.find(({ version }) => version.test(stdout ?? ""))?.flags ?? [];
}

// npm links a package into place at times: the path that was asked for is not always the file's own.
if (argv[1] && realpathSync(argv[1]) === fileURLToPath(import.meta.url)) console.log(warningFlags(env.CXX).join(" "));
