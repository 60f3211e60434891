// What somebody does who changes an artifact and knows the format: the checksums are made to fit again.
import { readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { addon } from "../../../lib/native/index.js";

/** Gives an artifact the checksums of what its files now hold. */
export async function reseal(path: string): Promise<void> {
  const graph = JSON.parse(await readFile(join(path, "graph.json"), "utf8")) as Record<string, unknown>;
  const weights = (await readdir(path)).find((name) => name.endsWith(".safetensors"))!;
  const bytes = await readFile(join(path, weights));
  delete graph.checksum;
  graph.files = { [weights]: { bytes: bytes.length, xxh64: addon.xxh64(bytes) } };
  const head = JSON.stringify(graph).slice(0, -1);
  await writeFile(join(path, "graph.json"), `${head},"checksum":"${addon.xxh64(Buffer.from(head))}"}\n`);
}

/** Makes version 1 of it: no checksums. */
export async function unsealed(path: string): Promise<void> {
  const graph = JSON.parse(await readFile(join(path, "graph.json"), "utf8")) as Record<string, unknown>;
  delete graph.checksum;
  delete graph.files;
  await writeFile(join(path, "graph.json"), `${JSON.stringify({ ...graph, version: 1 })}\n`);
}
