// Where saving may go: whatever path is given, nothing but an artifact or an empty folder is ever replaced, and nothing in the
// package removes what it did not make or recognize.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { artifact, nn } from "../../../lib/index.js";

const start = process.cwd();
let root: string;
let work: string;
beforeAll(async () => void (root = await realpath(await mkdtemp(join(tmpdir(), "athanor-place-")))));
afterAll(() => rm(root, { recursive: true, force: true }));
// A working folder with files of its own, beside an artifact, an empty folder and links.
beforeEach(async () => {
  process.chdir(start);
  await rm(join(root, "home"), { recursive: true, force: true });
  work = join(root, "home", "work");
  await mkdir(join(work, "papers"), { recursive: true });
  await writeFile(join(work, "thesis.tex"), "years of work");
  await writeFile(join(work, "papers", "graph.json"), '{"nodes": [], "edges": []}');
  await mkdir(join(work, "empty"));
  await artifact.save(nn.linear(2, 2), join(work, "model"), { input });
  await symlink("model", join(work, "current"));
  await symlink("papers", join(work, "shelf"));
  await symlink("nowhere", join(work, "dangling"));
  await symlink("loop", join(work, "loop"));
  process.chdir(work);
});
afterAll(() => process.chdir(start));

const input = { dtype: "f32", shape: [2] } as const;
const save = (path: unknown) => artifact.save(nn.linear(2, 2), path as string, { input });

/** Every file below the root with its content, artifacts by their names alone. */
async function everything(folder = root): Promise<string[]> {
  const all: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) all.push(path, ...(await everything(path)));
    else all.push(entry.isFile() && !path.includes("model/") ? `${path}: ${await readFile(path, "utf8")}` : path);
  }
  return all.sort();
}

describe("artifact.save refuses, and changes nothing, where the path", () => {
  it.each<[string, () => unknown, RegExp]>([
    ["is empty", () => "", /got an empty string; is a variable not set\?/],
    ["is the working folder", () => ".", /"\." is the working folder, which saving would replace; save into/],
    ["is the working folder, by a way round", () => "papers/..", /is the working folder/],
    ["is the working folder, absolute", () => work, /is the working folder/],
    ["is the working folder, as a URL", () => pathToFileURL(work), /is the working folder/],
    ["holds the working folder", () => "..", /is a folder that the working folder is in/],
    ["is the root", () => "/", /is a folder that the working folder is in/],
    ["is the root, many times", () => "/../..//.", /is a folder that the working folder is in/],
    ["leads through a missing folder back here", () => "missing/..", /goes through ".*missing", which does not exist/],
    ["leads through a missing folder", () => "missing/../papers", /goes through ".*missing", which does not exist/],
    ["leads through a missing folder up", () => "missing/../../work", /goes through ".*missing"/],
    ["is a folder of something else", () => "papers", /"graph.json" that is not an artifact's, which saving would/],
    ["is a link to such a folder", () => "shelf", /work\/papers" is not an artifact/],
    ["leads through such a link", () => "shelf/../papers", /is not an artifact/],
    ["is a link to nowhere", () => "dangling", /the link ".*dangling", which leads nowhere/],
    ["is a link to itself", () => "loop", /links that lead in a circle/],
    ["is a file", () => "thesis.tex", /is a file or a link, not a folder/],
    ["leads through a file", () => "thesis.tex/model", /goes through something that is not a folder/],
    ["has too long a name", () => "x".repeat(300), /the path "x+…" is too long: it has 300 characters/],
    ["is too long", () => "x/".repeat(3000), /is too long: it has 6000 characters/],
    ["has a NUL character", () => "model\0.txt", /"model\\u0000\.txt" with a NUL character/],
    ["is a number", () => 5, /expected the path of a folder, such as "out\/model", or a file: URL, got 5/],
    ["is undefined", () => undefined, /got undefined/],
    ["is null", () => null, /got null/],
    ["is an object", () => ({ path: "model" }), /got a value of type object/],
    ["is a list", () => ["model"], /got an array/],
    ["is a promise", () => Promise.resolve("model"), /got a promise; await it first/],
    ["is a URL of the web", () => new URL("https://example.org/model"), /got the URL https:/],
    ["is a URL of another machine", () => new URL("file://server/model"), /got the URL file:/],
  ])("%s", async (_, path, message) => {
    const before = await everything();
    const thrown = await save(path()).catch((error: unknown) => error);
    expect(thrown).toMatchObject({ code: "ERR_ATHANOR_ARGUMENT", message: expect.stringMatching(message) as string });
    expect((thrown as Error).message).toMatch(/^artifact\.save: /);
    expect(await everything()).toEqual(before);
  });

  it("holds anything beside the artifact", async () => {
    await writeFile("model/notes.txt", "mine");
    await expect(save("model")).rejects.toThrow(/holds "notes.txt", which saving would remove/);
    expect(await readFile("model/notes.txt", "utf8")).toBe("mine");
  });

  it("is relative to a working folder that is gone", async () => {
    await mkdir("gone");
    process.chdir("gone");
    await rm(join(work, "gone"), { recursive: true });
    await expect(save("model")).rejects.toThrow(/the working folder of this process does not exist any more/);
    process.chdir(work);
  });
});

describe("artifact.save goes where the path leads", () => {
  it.each<[string, () => string | URL, string]>([
    ["a new folder", () => "new", "new"],
    ["a new folder in new folders", () => "a/b/c", "a/b/c"],
    ["a path with a slash at its end", () => "new//", "new"],
    ["an empty folder", () => "./empty", "empty"],
    ["an older artifact", () => "papers/../model", "model"],
    ["a URL", () => pathToFileURL(join(work, "a b%c")), "a b%c"],
    ["a URL as text", () => pathToFileURL(join(work, "text")).href, "text"],
    ["a link to an artifact, which stays a link", () => "current", "model"],
    ["the longest name that a folder can have", () => "y".repeat(255), "y".repeat(255)],
    ["a name with quotes and line breaks", () => 'a "b"\nc', 'a "b"\nc'],
  ])("%s", async (_, path, place) => {
    const others = (await everything()).filter((name) => !name.startsWith(join(work, place)));
    await save(path());
    expect((await readdir(join(work, place))).sort()).toEqual(["graph.json", "weights.safetensors"]);
    expect((await everything()).filter((name) => others.includes(name))).toEqual(others);
    (await artifact.load(path())).dispose();
    expect((await readdir(work)).filter((name) => name.startsWith("."))).toEqual([]);
  });
});

describe("artifact.load", () => {
  it.each([["", /an empty string/], [7, /got 7/], ["none", /no such folder/], ["thesis.tex", /is not a folder/], ["papers", /does not say "format"/]])(
    "of %j is a sentence",
    async (path, message) => {
      await expect(artifact.load(path as string)).rejects.toThrow(message);
      await expect(artifact.loadModel(path as string)).rejects.toThrow(message);
    },
  ); // prettier-ignore
});

// Folders that a program empties: its own build, or one that it has just made itself.
const allowed: Record<string, string | string[]> = {
  // Of mkdtemp, and a folder within it.
  "bench/checkpoints.ts": ["rmSync(dir, { recursive: true, force: true });", "rmSync(folder, { recursive: true });"],
  "bench/streaming.ts": "rmSync(folder, { recursive: true, force: true });",
  // Artifacts that the search saved itself: saving refuses a folder that holds anything else.
  "examples/search-recipe.ts":
    "for (const { number } of study.trials) if (!front.has(number)) await rm(join(flags.out, `trial-${number}`), { recursive: true, force: true }); // prettier-ignore",
  "examples/digits/quick.ts": "await rm(folder, { recursive: true });", // of mkdtemp
  "lib/tune/study/fork.ts": "await rm(beside, { recursive: true, force: true });", // of mkdtemp
  "scripts/build.mjs": 'if (withTypes) rmSync("dist", { recursive: true, force: true });',
  // Within build/ of the package itself, which node-gyp and the packing script make.
  "scripts/install/clean.mjs": "if (!keep.has(name)) rmSync(join(parent, name), { recursive: true, force: true });",
  "scripts/omissions.mjs": "rmSync(copy, { recursive: true, force: true });", // of mkdtemp
  "scripts/packages.mjs": 'process.on("exit", () => rmSync(folder, { recursive: true, force: true }));',
  "scripts/packages/emulated.mjs": "rmSync(place, { recursive: true, force: true });", // of mkdtemp
  "scripts/postgres.mjs": "rmSync(folder, { recursive: true, force: true });", // of mkdtemp
  "bench/run.ts": "rmSync(folder, { recursive: true });", // of mkdtemp
  "bench/quantize.ts": "rmSync(folder, { recursive: true, force: true });", // of mkdtemp
};

describe("nothing in the package removes a folder that it did not make", () => {
  it("no source removes recursively, but for those that are listed here", () => {
    const files = execFileSync("git", ["ls-files", "lib", "scripts", "bench", "examples", "native"], {
      cwd: start,
      encoding: "utf8",
    });
    const found: Record<string, string | string[]> = {};
    const removal = /(?:\brm(?:Sync)?\(.*recursive|\brmdir(?:Sync)?\(.*recursive|remove_all\(|rm -r|rimraf|["']rm["'])/;
    for (const path of files.split("\n").filter((name) => /\.(ts|mjs|js|cc|h|json|gyp|gypi)$/.test(name))) {
      if (path.startsWith("native/test/")) continue;
      for (const line of readFileSync(join(start, path), "utf8").split("\n"))
        if (removal.test(line)) found[path] = path in found ? [found[path]!, line.trim()].flat() : line.trim();
    }
    expect(found).toEqual(allowed);
  });
});
