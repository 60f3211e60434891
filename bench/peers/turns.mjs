// Takes turns between processes that measure the same work, so that a ratio compares neighbours in time and not two moods of a
// shared machine. A side that waits is stopped (SIGSTOP to its process group): threads that spin while idle cost the other nothing.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

const READY_WITHIN = 180_000; // milliseconds; PyTorch's import and the trial of its variants
const ROW_WITHIN = 120_000;

export class Side {
  #start;
  #child;
  #lines;
  #errors = "";

  constructor(command, args, env) {
    this.command = [command, ...args].join(" ");
    this.#start = () => spawn(command, args, { env, detached: true, stdio: ["pipe", "pipe", "pipe"] });
  }

  /** Starts the process, waits for its ready line, then stops it until its turn. */
  async ready() {
    this.#child = this.#start();
    this.#child.on("error", (error) => (this.#errors += error.message));
    this.#child.stdin.on("error", () => {}); // a side that died is reported by the missing row
    this.#child.stderr.on("data", (chunk) => (this.#errors = (this.#errors + chunk).slice(-4000)));
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
    do this.head = await this.#row(READY_WITHIN);
    while (!this.head.ready);
    this.#signal("SIGSTOP");
    return this.head;
  }

  /** One turn of about `seconds`. */
  async measure(seconds) {
    this.#signal("SIGCONT");
    this.#child.stdin.write(`${seconds}\n`);
    const row = await this.#row(ROW_WITHIN + seconds * 1e3);
    this.#signal("SIGSTOP");
    return row;
  }

  close() {
    this.#signal("SIGCONT");
    this.#signal("SIGKILL");
  }

  async #row(limit) {
    for (;;) {
      let timer;
      const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(this.#failure(`said nothing for ${limit / 1e3} s`)), limit);
      });
      const { value, done } = await Promise.race([this.#lines.next(), late]).finally(() => clearTimeout(timer));
      if (done) throw this.#failure("ended");
      if (value.startsWith("{")) return JSON.parse(value);
    }
  }

  #failure(what) {
    return new Error(`${this.command}: ${what}\n${this.#errors}`);
  }

  #signal(name) {
    if (!this.#child?.pid) return;
    try {
      process.kill(-this.#child.pid, name);
    } catch {
      // already gone: the missing row says so
    }
  }
}

/** `rounds` turns of every side, A B C A B C …; the rows come back by side, in order. Sides are closed on every way out. */
export async function alternate(sides, { rounds, seconds }) {
  const closeAll = () => sides.forEach((side) => side.close());
  process.once("exit", closeAll);
  try {
    for (const side of sides) await side.ready(); // one after the other: a side's trial of its variants wants the machine
    const rows = sides.map(() => []);
    for (let round = 0; round < rounds; round++) {
      for (const [i, side] of sides.entries()) rows[i].push(await side.measure(seconds));
    }
    return rows;
  } finally {
    closeAll();
    process.removeListener("exit", closeAll);
  }
}
