// A headless Chromium by its DevTools protocol over a pipe (file descriptors 3 and 4, messages that end in a zero byte), where one is
// installed: CHROMIUM, or on the PATH. There is no library between: this is all that the tests need of it.
import { spawn, type ChildProcess } from "node:child_process";
import { accessSync, constants, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import type { Readable, Writable } from "node:stream";

/** The browser's program; undefined where there is none. */
export function findBrowser(): string | undefined {
  const folders = (process.env.PATH ?? "").split(delimiter);
  const names = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];
  const candidates = [process.env.CHROMIUM ?? "", ...names.flatMap((name) => folders.map((folder) => join(folder, name)))]; // prettier-ignore
  return candidates.find((path) => {
    try {
      if (path === "") return false;
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

interface Answer {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly message: string };
}

/** A page of the browser. */
export interface Page {
  goto(url: string): Promise<void>;
  /** What an expression comes to there; promises are awaited. */
  evaluate<T>(expression: string): Promise<T>;
  /** Waits until an expression is true. */
  until(expression: string, seconds?: number): Promise<void>;
  resize(width: number, height: number): Promise<void>;
  dark(isDark: boolean): Promise<void>;
  /** A PNG of the whole page. */
  picture(): Promise<Buffer>;
  /** What went wrong there: errors of scripts, refusals by the page's policy. */
  readonly troubles: readonly string[];
}

/** A browser. */
export class Browser {
  private readonly process: ChildProcess;
  private readonly profile = mkdtempSync(join(tmpdir(), "athanor-browser-"));
  private readonly waiting = new Map<number, (answer: Answer) => void>();
  private readonly listeners: ((session: string | undefined, answer: Answer) => void)[] = [];
  private next = 1;

  constructor(path: string) {
    const flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars", "--remote-debugging-pipe", `--user-data-dir=${this.profile}`]; // prettier-ignore
    this.process = spawn(path, flags, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
    let rest = "";
    (this.process.stdio[4] as Readable).setEncoding("utf8").on("data", (text: string) => {
      const messages = (rest + text).split("\0");
      rest = messages.pop()!;
      for (const message of messages) this.hear(JSON.parse(message) as Answer & { sessionId?: string });
    });
  }

  async page(width = 1280, height = 900): Promise<Page> {
    const { targetId } = await this.send("Target.createTarget", { url: "about:blank" });
    const { sessionId } = (await this.send("Target.attachToTarget", { targetId, flatten: true })) as { sessionId: string }; // prettier-ignore
    const send = (method: string, params: object = {}) => this.send(method, params, sessionId);
    const troubles: string[] = [];
    this.listeners.push((session, { method, params }) => {
      if (session !== sessionId) return;
      if (method === "Runtime.exceptionThrown") troubles.push(JSON.stringify(params));
      if (method === "Log.entryAdded" && (params!.entry as { level: string }).level === "error") troubles.push(JSON.stringify(params)); // prettier-ignore
    });
    for (const domain of ["Page", "Runtime", "Log"]) await send(`${domain}.enable`);
    const evaluate = async <T>(expression: string): Promise<T> => {
      const { result, exceptionDetails } = (await send("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true })) as { result: { value: T }; exceptionDetails?: unknown }; // prettier-ignore
      if (exceptionDetails !== undefined) throw new Error(`${expression}: ${JSON.stringify(exceptionDetails)}`);
      return result.value;
    };
    const page: Page = {
      troubles,
      evaluate,
      goto: async (url) => {
        await send("Page.navigate", { url });
      },
      until: async (expression, seconds = 30) => {
        const end = performance.now() + 1000 * seconds;
        while (!(await evaluate<boolean>(`Boolean(${expression})`).catch(() => false))) {
          if (performance.now() > end) throw new Error(`not true within ${seconds} s: ${expression}`);
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
      },
      resize: async (wide, high) => { await send("Emulation.setDeviceMetricsOverride", { width: wide, height: high, deviceScaleFactor: 1, mobile: false }); }, // prettier-ignore
      dark: async (isDark) => { await send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: isDark ? "dark" : "light" }] }); }, // prettier-ignore
      picture: async () => Buffer.from((await send("Page.captureScreenshot", { captureBeyondViewport: true })).data as string, "base64"), // prettier-ignore
    };
    await page.resize(width, height);
    return page;
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.process.once("exit", resolve));
    await this.send("Browser.close").catch(() => this.process.kill());
    await ended;
    rmSync(this.profile, { recursive: true, force: true, maxRetries: 5 });
  }

  private send(method: string, params: object = {}, sessionId?: string): Promise<Record<string, unknown>> {
    const id = this.next++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, ({ result, error }) => (error === undefined ? resolve(result!) : reject(new Error(`${method}: ${error.message}`)))); // prettier-ignore
      (this.process.stdio[3] as Writable).write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    });
  }

  private hear(answer: Answer & { readonly sessionId?: string }): void {
    if (answer.id !== undefined) {
      this.waiting.get(answer.id)?.(answer);
      this.waiting.delete(answer.id);
    } else for (const listen of this.listeners) listen(answer.sessionId, answer);
  }
}
