// A PostgreSQL of its own for tests: in a temporary folder, on a free port of loopback, not as root.
//   node scripts/postgres.mjs run COMMAND…   runs a command with its address in ATHANOR_POSTGRES, and takes it down again
// Exit status 3: there is no PostgreSQL on this machine (Debian: apt-get install postgresql).
import { spawn, spawnSync } from "node:child_process";
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { argv, env, exit, getuid } from "node:process";

/** The folder with initdb and postgres, or undefined. */
function binaries() {
  const root = "/usr/lib/postgresql";
  const debian = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [...debian.map((version) => join(root, version, "bin")), ...(env.PATH ?? "").split(delimiter)];
  return folders.find((folder) => existsSync(join(folder, "initdb")) && existsSync(join(folder, "postgres")));
}

// PostgreSQL refuses to run as root: it gets the user of Debian's package, or nobody.
function unprivileged() {
  if (getuid?.() !== 0) return {};
  const id = (flag) => Number(spawnSync("id", [flag, "postgres"], { encoding: "utf8" }).stdout.trim() || 65534);
  return { uid: id("-u"), gid: id("-g") };
}

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

/** Starts one; its address, and ways to stop it, to start it again on the same data, and to take it away. */
export async function startPostgres() {
  const bin = binaries();
  if (bin === undefined) return undefined;
  const user = unprivileged();
  const folder = mkdtempSync(join(tmpdir(), "athanor-postgres-"));
  if (user.uid !== undefined) chownSync(folder, user.uid, user.gid);
  const data = join(folder, "data");
  const options = { ...user, cwd: folder, env: { PATH: env.PATH, LC_ALL: "C.UTF-8" } };
  const made = spawnSync(join(bin, "initdb"), ["-D", data, "-U", "athanor", "-A", "trust", "-E", "UTF8", "--no-sync"], { ...options, encoding: "utf8" }); // prettier-ignore
  if (made.status !== 0) throw new Error(`initdb: ${made.stderr}`);
  const port = await freePort();
  let child;
  const start = async () => {
    const args = ["-D", data, "-h", "127.0.0.1", "-p", String(port), "-k", folder, "-c", "max_connections=300"];
    child = spawn(join(bin, "postgres"), args, { ...options, stdio: ["ignore", "ignore", "pipe"] });
    child.stderr.resume();
    for (let tries = 0; ; tries++) {
      const ready = spawnSync(join(bin, "pg_isready"), ["-h", "127.0.0.1", "-p", String(port), "-q"], options);
      if (ready.status === 0) return;
      if (tries > 200 || child.exitCode !== null) throw new Error("postgres did not come up");
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };
  // SIGINT: PostgreSQL's fast shutdown.
  const stop = () =>
    new Promise((resolve) => {
      if (child.exitCode !== null) return resolve();
      child.once("exit", resolve);
      child.kill("SIGINT");
    });
  await start();
  const remove = async () => {
    await stop();
    rmSync(folder, { recursive: true, force: true });
  };
  return { address: `postgres://athanor@127.0.0.1:${port}/postgres`, start, stop, remove };
}

if (argv[1]?.endsWith("postgres.mjs") && argv[2] === "run") {
  const server = await startPostgres();
  if (server === undefined) {
    console.error("scripts/postgres.mjs: there is no PostgreSQL on this machine: apt-get install postgresql");
    exit(3);
  }
  const child = spawn(argv[3], argv.slice(4), { stdio: "inherit", env: { ...env, ATHANOR_POSTGRES: server.address } });
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
  child.once("exit", async (code) => {
    await server.remove();
    exit(code ?? 1);
  });
}
