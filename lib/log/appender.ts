// A file that is appended to: notes are gathered and handed to the system twice a second, so that a killed process loses less than a
// second of them, and no step waits for a disk.
import { open, type FileHandle } from "node:fs/promises";
import { FileError } from "../errors.js";

const everyMs = 500;

/** Appends bytes to a file. */
export class Appender {
  private readonly where: string;
  private readonly path: string;
  private waiting: (string | Uint8Array)[] = [];
  private file: FileHandle | undefined;
  private writing: Promise<void> = Promise.resolve();
  private timer: NodeJS.Timeout | undefined;
  private failure: unknown;

  constructor(where: string, path: string) {
    this.where = where;
    this.path = path;
  }

  /** Opens the file, emptied if asked to. @throws FileError */
  async open(emptied = false): Promise<void> {
    try {
      this.file = await open(this.path, emptied ? "w" : "a");
    } catch (thrown) {
      throw this.refused(thrown);
    }
  }

  /** Takes bytes to be written soon. */
  add(bytes: string | Uint8Array): void {
    this.waiting.push(bytes);
    this.timer ??= setTimeout(() => {
      this.flush().catch(() => undefined); // thrown by the next flush that is awaited
    }, everyMs).unref();
  }

  /** Writes what was taken. @throws FileError of now or before */
  async flush(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    const parts = this.waiting;
    this.waiting = [];
    if (parts.length > 0) {
      const bytes = Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part) : part)));
      this.writing = this.writing.then(() => this.put(bytes));
    }
    await this.writing;
    const { failure } = this;
    this.failure = undefined;
    if (failure !== undefined) throw this.refused(failure);
  }

  async close(): Promise<void> {
    try {
      await this.flush();
    } finally {
      await this.file?.close();
      this.file = undefined;
    }
  }

  private async put(bytes: Uint8Array): Promise<void> {
    try {
      await this.file?.appendFile(bytes);
    } catch (thrown) {
      this.failure ??= thrown;
    }
  }

  private refused(thrown: unknown): FileError {
    const { code } = thrown as NodeJS.ErrnoException;
    return new FileError(`${this.where}: "${this.path}" cannot be written (${code})`, { cause: thrown });
  }
}
