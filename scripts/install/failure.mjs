// What a user reads when the engine did not compile.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";

/** The lines of the log around the first error, and what to do. */
export function failure(status, logFile) {
  const lines = readFileSync(logFile, "utf8").split("\n");
  const first = lines.findIndex((line) => /\berror\b[: ]|No such file|not found|Killed/i.test(line));
  const from = first < 0 ? Math.max(0, lines.length - 30) : Math.max(0, first - 2);
  return [
    `athanor: the engine did not compile (node-gyp ended with ${status}). What failed:`,
    "",
    ...lines.slice(from, from + 30).map((line) => `    ${line}`),
    "",
    "What to do:",
    "  1. Install a C++20 compiler (g++ 12 or clang 14, or newer), make and Python 3:",
    "       Debian, Ubuntu: sudo apt-get install g++ make python3     Fedora: sudo dnf install gcc-c++ make python3",
    "       macOS: xcode-select --install     Windows: Visual Studio Build Tools 2022 with C++, and Python 3",
    "  2. If an old compiler was taken, name another one: CC=gcc-12 CXX=g++-12 npm install",
    "  3. If a compiler was killed, memory ran out: ATHANOR_JOBS=1 npm install",
    "  4. If Node's headers are incomplete, use those of a package: ATHANOR_HEADERS=package npm install",
    "  5. If node-gyp is not found, install it beside: npm install node-gyp",
    "  6. If optional dependencies are left out (--omit=optional), let npm install the prebuilt engine of your platform.",
    `  7. Read the whole log: ${resolve(logFile)}`,
  ].join("\n");
}
