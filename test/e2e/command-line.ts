// The command line as a person or a script calls it, for the tests of this folder.
import { execFile, spawn } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The root of the repository. */
export const root = fileURLToPath(new URL("../..", import.meta.url));
const main = join(root, "dist/cjs/cli/main.js");

/** What came of a call. */
export interface Outcome {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

/** Calls `athanor` with these arguments. */
export const athanor = (...args: string[]): Promise<Outcome> => athanorWith("", ...args);

/** The same with text on standard input. */
export function athanorWith(input: string, ...args: string[]): Promise<Outcome> {
  return new Promise((settle) => {
    const child = execFile(process.execPath, [main, ...args], { cwd: root }, (error, out, err) => {
      settle({ status: error ? Number(error.code) : 0, out, err });
    });
    child.stdin!.end(input);
  });
}

/** Runs a line of the shell in which `$ATHANOR` is the command. */
export function shell(line: string): Promise<Outcome> {
  const command = `${process.execPath} ${main}`;
  return new Promise((settle) => {
    execFile("bash", ["-c", line], { cwd: root, env: { ...process.env, ATHANOR: command } }, (error, out, err) => {
      settle({ status: error ? Number(error.code) : 0, out, err });
    });
  });
}

/** Calls `athanor`, and interrupts it once it has said something that matches. */
export function interruptedAt(pattern: RegExp, ...args: string[]): Promise<Outcome> {
  return new Promise((settle) => {
    const child = spawn(process.execPath, [main, ...args], { cwd: root });
    let [out, err, told] = ["", "", false];
    child.stdout.on("data", (data: Buffer) => (out += data.toString()));
    child.stderr.on("data", (data: Buffer) => {
      err += data.toString();
      if (!told && pattern.test(err)) told = child.kill("SIGINT");
    });
    child.on("close", (status) => settle({ status: status ?? -1, out, err }));
  });
}

/** A table of 600 customers: numbers, categories, missing cells, and a tier that follows from them. */
export function customers(): string {
  let state = 12345;
  const random = () => (state = (state * 1103515245 + 12345) % 2147483648) / 2147483648;
  const pick = (list: readonly string[]) => list[Math.floor(random() * list.length)]!;
  const rows = Array.from({ length: 600 }, () => {
    const [age, income, visits] = [
      18 + Math.floor(random() * 60),
      15_000 + random() * 60_000,
      Math.floor(random() * 30),
    ];
    const [city, device] = [pick(["Lyon", "Paris", "Lille"]), pick(["mobile", "desktop"])];
    const worth = income / 15_000 + visits / 8 - (age - 45) / 20 + (city === "Paris" ? 1.2 : 0);
    const tier = worth > 6 ? "gold" : worth > 4.2 ? "silver" : "free";
    const cells = [String(age), income.toFixed(2), String(visits), city, device].map((cell) => (random() < 0.03 ? "" : cell)); // prettier-ignore
    return [...cells, tier].join(",");
  });
  return `${["age,income,visits,city,device,tier", ...rows].join("\n")}\n`;
}
