// The platforms that have a package of their own: what npm has to know to pick one, and how it is compiled. linux-x64 and
// linux-arm64 are built and tested, arm64 under qemu (npm run test:arm64); the others are for a machine, or a compiler, of their own
// kind and were never tried ("untried").
import { firstProgram } from "../install/compilers.mjs";

// The C++ library comes along, so that only the C library of the system counts.
const gnuLink = "-static-libstdc++ -static-libgcc -Wl,--exclude-libs,ALL -s";

const native = (os, cpu) => () =>
  process.platform === os && process.arch === cpu ? {} : { missing: `a machine with ${os} ${cpu}` };

function cross(prefix) {
  return () => {
    const [CC, CXX, AR] = ["gcc", "g++", "ar"].map((tool) => `${prefix}-${tool}`);
    return firstProgram(CXX) ? { CC, CXX, AR } : { missing: `the compiler ${CXX}` };
  };
}

const hostOr = (cpu, prefix) => (process.platform === "linux" && process.arch === cpu ? () => ({}) : cross(prefix));

export const platforms = {
  "linux-x64": { os: "linux", cpu: "x64", libc: "glibc", compilers: hostOr("x64", "x86_64-linux-gnu"), link: gnuLink },
  "linux-arm64": {
    os: "linux",
    cpu: "arm64",
    libc: "glibc",
    compilers: hostOr("arm64", "aarch64-linux-gnu"),
    link: gnuLink,
  },
  "linux-x64-musl": {
    os: "linux",
    cpu: "x64",
    libc: "musl",
    compilers: cross("x86_64-linux-musl"),
    link: gnuLink,
    untried: true,
  },
  "linux-arm64-musl": {
    os: "linux",
    cpu: "arm64",
    libc: "musl",
    compilers: cross("aarch64-linux-musl"),
    link: gnuLink,
    untried: true,
  },
  "darwin-arm64": { os: "darwin", cpu: "arm64", compilers: native("darwin", "arm64"), untried: true },
  "darwin-x64": { os: "darwin", cpu: "x64", compilers: native("darwin", "x64"), untried: true },
  "win32-x64": { os: "win32", cpu: "x64", compilers: native("win32", "x64"), untried: true },
};

/** The name of a platform's package. */
export const packageName = (platform) => `@athanor/${platform}`;
