// Says how far the compiler is: a line when it begins and every few seconds after that. npm keeps the output of an
// install script to itself (but for --foreground-scripts), so the line goes to the terminal where there is one (/dev/tty), else to
// standard output. ATHANOR_PROGRESS=0 keeps silent.
import { closeSync, openSync, readFileSync, readdirSync, writeSync } from "node:fs";
import { join } from "node:path";

const secondsBetween = 3;

/** Objects, archives and the addon that node-gyp's makefiles are going to make; 0 where there are none (Windows). */
export function countOfSteps(folder = "build") {
  let steps = 0;
  for (const name of readdirSync(folder).filter((entry) => entry.endsWith(".target.mk"))) {
    const text = readFileSync(join(folder, name), "utf8");
    steps += 1 + (/^OBJS := \\\n((?:.*\\\n)*.*)/m.exec(text)?.[1].match(/\S+\.o\b/g) ?? []).length;
  }
  return steps;
}

function openTerminal(env) {
  if (process.stdout.isTTY || process.platform === "win32" || env.CI) return undefined;
  try {
    return openSync("/dev/tty", "w");
  } catch {
    return undefined;
  }
}

/** Follows the output of make; `env` undefined keeps silent. */
export function progressOf(output, env) {
  if (!env || env.ATHANOR_PROGRESS === "0") return { end() {} };
  const terminal = openTerminal(env);
  const begun = Date.now();
  let begunUnits = 0;
  let total;
  const say = () => {
    const seconds = Math.round((Date.now() - begun) / 1000);
    const line = `athanor: compiling the engine: unit ${begunUnits} of ${Math.max(total, begunUnits)}, ${seconds} s\n`;
    if (terminal === undefined) process.stdout.write(line);
    else writeSync(terminal, line);
  };
  let timer;
  output.on("data", (text) => {
    const units = String(text).match(/^ {2}(?:CXX|CC|AR|SOLINK_MODULE)\(target\)/gm)?.length ?? 0;
    if (units === 0) return;
    total ??= countOfSteps();
    begunUnits += units;
    if (timer === undefined) {
      timer = setInterval(say, secondsBetween * 1000);
      say();
    }
  });
  return {
    end() {
      clearInterval(timer);
      if (terminal !== undefined) closeSync(terminal);
    },
  };
}
