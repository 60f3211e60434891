// The guide of the command line and the commands say the same; what the library says to write in code is said as options.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { commands } from "../../../lib/cli/commands.js";
import { asOptions } from "../../../lib/cli/data.js";

const guide = readFileSync(new URL("../../../docs/guide/command-line.md", import.meta.url), "utf8");
const program = commands(new AbortController().signal);
const named = (name: string) => program.commands.find((command) => command.name() === name);

describe("the guide", () => {
  const lines = [...guide.matchAll(/^athanor (\S+)(.*)$/gm)].map(([line, name, rest]) => ({ line, name: name!, rest: rest! })); // prettier-ignore

  it.each(lines)("$line", ({ name, rest }) => {
    const command = named(name);
    expect(command).toBeDefined();
    for (const [, flag] of rest.matchAll(/ (--?[a-z][\w-]*)/g)) {
      expect(command!.options.some(({ short, long }) => flag === short || flag === long)).toBe(true);
    }
  });

  it("names every command and every option", () => {
    for (const command of program.commands) {
      expect(guide).toContain(`**${command.name()}**`);
      expect(command.options.filter(({ long }) => !guide.includes(`\`${long}`)).map(({ long }) => long)).toEqual([]);
    }
  });
});

describe("messages", () => {
  it.each([
    ['say missingCells: ["", "n/a"], or drop it', "say --missing n/a, or leave it out with --drop"],
    ['say columns: { "zip code": "category" }', "say --one-hot zip code"],
    ['mend it, or say target: "class"', "mend it, or say --target class"],
    ["nothing of that", "nothing of that"],
  ])("%s", (message, said) => {
    expect(asOptions(message)).toBe(said);
  });
});
