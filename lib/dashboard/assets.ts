// The page's script and style. In a package they are files beside the bundle (scripts/build.mjs); from sources they are bundled here.
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { style } from "../report/style.js";

/** What the page loads. */
export interface Assets {
  readonly script: string;
  readonly style: string;
}

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Reads or makes them. */
export async function loadAssets(): Promise<Assets> {
  const built = ["./dashboard/", "../dashboard/"].map(at).find((folder) => existsSync(`${folder}main.js`));
  const [script, own] = built === undefined ? await bundled() : await Promise.all(["main.js", "main.css"].map((name) => readFile(built + name, "utf8"))); // prettier-ignore
  return { script: script!, style: `${style}\n${own!}` };
}

/** Of esbuild, a dependency of development, what is used. */
interface Bundler {
  build(options: Readonly<Record<string, unknown>>): Promise<{ outputFiles: { path: string; text: string }[] }>;
}

async function bundled(): Promise<[string, string]> {
  const name = "esbuild";
  const bundler = (await import(name)) as Bundler;
  const { outputFiles } = await bundler.build({ entryPoints: [at("./client/main.ts")], outdir: "out", bundle: true, format: "iife", target: "es2022", write: false, logLevel: "silent" }); // prettier-ignore
  const of = (end: string) => outputFiles.find(({ path }) => path.endsWith(end))!.text;
  return [of(".js"), of(".css")];
}
