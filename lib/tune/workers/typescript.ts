// Searches written in TypeScript: Node reads them itself from 22.18 on; before that tsx does, where the user has it.
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import { UnsupportedError } from "../../errors.js";

/** How workers come to read what this process reads. */
export interface Reader {
  /** Options of Node for a process. */
  readonly execArgv: readonly string[];
  /** What a thread runs first; a thread does not get what `--import` brought. */
  readonly prelude: string;
}

const ofNode: Reader = { execArgv: [], prelude: "" };

/**
 * Makes this process able to import a module in TypeScript.
 *
 * @throws UnsupportedError where neither Node nor a tsx that is installed beside the module can read it.
 */
export async function readerOf(where: string, url: string): Promise<Reader> {
  const isTypeScript = /\.[cm]?tsx?$/.test(new URL(url).pathname);
  const { typescript } = process.features as { readonly typescript?: unknown };
  const isLoaded = [...process.execArgv, process.env.NODE_OPTIONS ?? ""].some((text) => /\btsx\b/.test(text));
  if (!isLoaded && (!isTypeScript || Boolean(typescript))) return ofNode;
  const tsx = tsxBeside(url);
  if (tsx === undefined) {
    if (isLoaded) return ofNode;
    throw new UnsupportedError(
      `${where}: ${fileURLToPath(url)}: Node ${process.version} does not read TypeScript; npm install tsx beside it, take Node 24, or write the module as .mjs`,
    );
  }
  const prelude = tsx.apis.map((api) => `(await import(${JSON.stringify(api)})).register();`).join("\n");
  if (isLoaded) return { execArgv: [], prelude };
  for (const api of tsx.apis) ((await import(api)) as { register(): unknown }).register();
  return { execArgv: ["--import", tsx.loader], prelude };
}

interface Tsx {
  /** What `--import` takes. */
  readonly loader: string;
  /** Modules with a `register` for `require` and for `import`. */
  readonly apis: readonly string[];
}

interface Manifest {
  readonly exports: Readonly<Record<"./cjs/api" | "./esm/api", { readonly import: { readonly default: string } }>>;
}

// By its manifest: what `require.resolve` gives of its interfaces is for `require` (that of tsx 4.23 for ES modules does not find its own files).
function tsxBeside(url: string): Tsx | undefined {
  for (const base of [url, pathToFileURL(`${process.cwd()}/`).href]) {
    try {
      const require = createRequire(base);
      const root = pathToFileURL(require.resolve("tsx/package.json"));
      const { exports } = require("tsx/package.json") as Manifest;
      const of = (key: keyof typeof exports): string => new URL(exports[key].import.default, root).href;
      return { loader: pathToFileURL(require.resolve("tsx")).href, apis: [of("./cjs/api"), of("./esm/api")] };
    } catch {
      // Not there: the next place.
    }
  }
  return undefined;
}
