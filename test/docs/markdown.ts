// The code blocks of a Markdown page, and what hidden comments above them say to the test:
//   <!-- test: replace "epochs: 5" with "epochs: 1" -->     shortens what takes long; the text has to occur
//   <!-- test: not run: it publishes the package -->        a block that cannot be run; the test lists them
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";

export const root = resolve(import.meta.dirname, "../..");

export interface Block {
  readonly language: string;
  /** As it is run: with the replacements that the page asks for. Line by line what the page has. */
  readonly code: string;
  /** Of the opening fence, from 1. */
  readonly line: number;
  readonly notRun: string | undefined;
}

export interface Page {
  /** From the repository's root, with "/". */
  readonly path: string;
  readonly text: string;
  readonly blocks: readonly Block[];
}

const mark = /^\s*<!-- test: (.*) -->\s*$/;

function replaced(code: string, marks: readonly string[], place: string): string {
  for (const text of marks) {
    const [, from, to] = /^replace "(.*)" with "(.*)"$/.exec(text) ?? [];
    if (text.startsWith("not run: ")) continue;
    if (from === undefined || to === undefined)
      throw new Error(`${place}: "test: ${text}" is neither: replace "…" with "…", nor: not run: <reason>`);
    if (!code.includes(from)) throw new Error(`${place}: the block does not have what is to be replaced: ${from}`);
    code = code.replaceAll(from, to);
  }
  return code;
}

export function blocksOf(text: string, path: string): Block[] {
  const lines = text.split("\n");
  const blocks: Block[] = [];
  let marks: string[] = [];
  for (let i = 0; i < lines.length; ++i) {
    const marked = mark.exec(lines[i]!);
    const fence = /^ *(`{3,}|~{3,})(.*)$/.exec(lines[i]!);
    if (marked) marks.push(marked[1]!);
    else if (fence) {
      const end = lines.findIndex((line, at) => at > i && line.trim() === fence[1]);
      if (end < 0) throw new Error(`${path}:${i + 1}: this block is not closed`);
      const code = replaced(lines.slice(i + 1, end).join("\n"), marks, `${path}:${i + 1}`);
      const notRun = marks.find((text) => text.startsWith("not run: "))?.slice("not run: ".length);
      blocks.push({ language: fence[2]!.trim(), code, line: i + 1, notRun });
      i = end;
      marks = [];
    } else if (lines[i]!.trim() !== "" && marks.length > 0)
      throw new Error(`${path}:${i + 1}: a mark for the test stands above something that is not a block of code`);
  }
  return blocks;
}

/** README.md and all of docs/. */
export function pages(): Page[] {
  const files = readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => join(root, "docs", name));
  return [join(root, "README.md"), ...files.sort()].map((file) => {
    const path = relative(root, file).replaceAll("\\", "/");
    const text = readFileSync(file, "utf8");
    return { path, text, blocks: blocksOf(text, path) };
  });
}
