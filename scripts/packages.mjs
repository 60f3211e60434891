// Makes the packages of a release below out/packages/:
//   npm run packages -- --platform linux-x64 [--platform linux-arm64 …]   @athanor/<platform>: the compiled engine alone
//   npm run packages -- --main                                           athanor itself, which names them as optional dependencies
// The optional dependencies are in the packed package.json only: npm ci in a clone must not look for what is not published yet.
// --reuse takes the addon that lies in build/Release instead of compiling; --out names another folder.
import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { chdir, exit } from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { availableParallelism } from "node:os";
import { ccachePrefix } from "./install/compilers.mjs";
import { headersFromPackage } from "./install/headers.mjs";
import { nodeGypScript } from "./install/node-gyp.mjs";
import { neededVersions } from "./packages/needs.mjs";
import { packageName, platforms } from "./packages/platforms.mjs";

const { values: options } = parseArgs({
  options: {
    platform: { type: "string", multiple: true, default: [] },
    main: { type: "boolean" },
    reuse: { type: "boolean" },
    out: { type: "string", default: "out/packages" },
  },
});
const out = resolve(options.out);
chdir(fileURLToPath(new URL("..", import.meta.url)));
const manifest = JSON.parse(readFileSync("package.json", "utf8"));
mkdirSync(out, { recursive: true });

function refuse(sentence) {
  console.error(`packages: ${sentence}`);
  exit(2);
}

/** Compiles the engine in a folder of its own and gives the addon's path. */
function compile(name, { os, cpu, compilers, link }) {
  const found = compilers();
  if (found.missing) refuse(`${name} needs ${found.missing}, which is not here`);
  const folder = resolve("build/packages", name);
  mkdirSync(folder, { recursive: true });
  for (const part of ["native", "binding.gyp", "scripts/install", "package.json"])
    cpSync(part, join(folder, part), {
      recursive: true,
      preserveTimestamps: true,
      filter: (path) => path !== "native/test",
    });
  const through = (compiler, own) => ccachePrefix() + (compiler ?? own);
  const env = {
    ...process.env,
    ...(os === "win32"
      ? {}
      : { CC: through(found.CC, process.env.CC ?? "cc"), CXX: through(found.CXX, process.env.CXX ?? "c++") }),
    ...(found.AR ? { AR: found.AR } : {}),
    ...(link ? { LDFLAGS: link } : {}),
  };
  // The headers of the package: the same on every machine.
  const headers = headersFromPackage(join(folder, "build"));
  const gyp = (...command) =>
    spawnSync(process.execPath, [nodeGypScript(), ...command, "--release", `--arch=${cpu}`], {
      cwd: folder,
      env,
      stdio: ["ignore", "ignore", "inherit"],
    }).status;
  if (
    gyp("configure", ...(headers ? [`--nodedir=${headers}`] : [])) ||
    gyp("build", `--jobs=${availableParallelism()}`)
  )
    refuse(`${name} did not compile`);
  return join(folder, "build/Release/athanor.node");
}

function pack(folder) {
  const answer = execFileSync("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", out], {
    cwd: folder,
    encoding: "utf8",
  });
  const [{ filename, size, unpackedSize }] = JSON.parse(answer);
  const mebibytes = (bytes) => (bytes / 2 ** 20).toFixed(1);
  console.log(`${join(out, filename)}: ${mebibytes(size)} MiB, ${mebibytes(unpackedSize)} MiB unpacked`);
}

function packPlatform(name) {
  const platform = platforms[name];
  if (!platform) refuse(`unknown platform "${name}"; known: ${Object.keys(platforms).join(", ")}`);
  const addon = options.reuse ? "build/Release/athanor.node" : compile(name, platform);
  if (!existsSync(addon)) refuse(`there is no ${addon}; npm run build:native makes it`);
  const needs = platform.os === "linux" ? neededVersions(addon) : {};
  const folder = freshFolder(`${name}-package`);
  copyFileSync(addon, join(folder, "athanor.node"));
  copyFileSync("LICENSE", join(folder, "LICENSE"));
  const own = {
    name: packageName(name),
    version: manifest.version,
    description: `The engine of athanor for ${name}`,
    license: manifest.license,
    engines: manifest.engines,
    os: [platform.os],
    cpu: [platform.cpu],
    ...(platform.libc ? { libc: [platform.libc] } : {}),
    main: "athanor.node",
    athanor: { napi: 9, ...needs },
  };
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(own, null, 2)}\n`);
  const text = Object.entries(needs).map(([library, version]) => `${library} ${version}`);
  if (text.length) console.log(`${name} needs ${text.join(", ")}`);
  pack(folder);
}

// A folder of this process alone: two that pack at a time do not meet.
function freshFolder(name) {
  const folder = resolve("build/packages", `${name}-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function packMain() {
  const folder = freshFolder("main");
  const list = execFileSync("npm", ["pack", "--ignore-scripts", "--dry-run", "--json"], { encoding: "utf8" });
  for (const { path } of JSON.parse(list)[0].files) {
    mkdirSync(join(folder, path, ".."), { recursive: true });
    copyFileSync(path, join(folder, path));
  }
  const released = Object.keys(platforms).filter((name) => !platforms[name].untried);
  const own = {
    ...manifest,
    scripts: { install: manifest.scripts.install },
    optionalDependencies: Object.fromEntries(released.map((name) => [packageName(name), manifest.version])),
  };
  delete own.devDependencies;
  delete own.allowScripts;
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(own, null, 2)}\n`);
  pack(folder);
}

if (options.platform.length === 0 && !options.main) refuse("name what to make: --platform linux-x64, or --main");
for (const name of options.platform) packPlatform(name);
if (options.main) packMain();
