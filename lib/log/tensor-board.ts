// TensorBoard's event files: records of Event messages (tensorflow/core/util/event.proto, framework/summary.proto), each between two
// checksums. A run that goes on begins another file that tells TensorBoard to forget later steps.
import { hostname } from "node:os";
import { join } from "node:path";
import { checkOptions } from "../errors.js";
import { Appender } from "./appender.js";
import { maskedCrc32c } from "./crc32c.js";
import type { LoggedHistogram, LoggedImage, LoggedRun, Logger, LogRecord } from "./logger.js";
import { double, doubles, float, integer, message, raw, text, type Fields } from "./protobuf.js";

/** Event files for TensorBoard in the run's folder: scalars, histograms, images and the options as hyper-parameters. */
export function tensorBoard(options: object = {}): Logger {
  checkOptions("train.log.tensorBoard", options, []);
  return new TensorBoardLogger();
}

class TensorBoardLogger implements Logger {
  readonly name = "tensorBoard";
  private appender: Appender | undefined;

  async open({ dir, step, options }: LoggedRun): Promise<void> {
    const now = Date.now();
    const file = `events.out.tfevents.${Math.floor(now / 1e3)}.${hostname()}.${process.pid}.${step}`;
    this.appender = new Appender("train.log.tensorBoard", join(dir, file));
    await this.appender.open(true);
    this.event(now, 0, text(3, "brain.Event:2"));
    if (step > 0)
      this.event(now, step + 1, message(7, integer(1, 1))); // SessionLog.START: what was told from here on is forgotten
    else if (Object.keys(options).length > 0) this.event(now, 0, hyperParameters(options, now));
  }

  write(records: readonly LogRecord[]): void {
    for (const { kind, step, time, metrics } of records) {
      const prefix = kind === "step" ? "train/" : kind === "epoch" ? "epoch/" : kind === "system" ? "system/" : "";
      const values = Object.entries(metrics)
        .filter(([name]) => kind !== "epoch" || !/^(?:val|train)\./.test(name))
        .map(([name, value]) =>
          message(
            1,
            text(1, prefix + name.replace(/^val\./, "validation/").replace(/^train\./, "training/")),
            float(2, value),
          ),
        );
      if (values.length > 0) this.event(time, step, message(5, ...values));
    }
  }

  histogram({ name, step, time, min, max, count, sum, sumOfSquares, limits, counts }: LoggedHistogram): void {
    const histogram = [
      double(1, min),
      double(2, max),
      double(3, count),
      double(4, sum),
      double(5, sumOfSquares),
      doubles(6, limits),
      doubles(7, counts),
    ];
    this.event(time, step, message(5, message(1, text(1, name), message(5, ...histogram))));
  }

  image({ name, step, time, width, height, channels, png }: LoggedImage): void {
    const image = [integer(1, height), integer(2, width), integer(3, channels), raw(4, png)];
    this.event(time, step, message(5, message(1, text(1, name), message(4, ...image))));
  }

  // SessionLog.START at a step: what was told of it and later ones is forgotten.
  rewind(step: number): Promise<void> {
    this.event(Date.now(), step + 1, message(7, integer(1, 1)));
    return Promise.resolve();
  }

  async flush(): Promise<void> {
    await this.appender?.flush();
  }

  async close(): Promise<void> {
    await this.appender?.close();
  }

  private event(time: number, step: number, ...what: Fields): void {
    this.appender!.add(framed(Buffer.concat([double(1, time / 1e3), integer(2, step), ...what])));
  }
}

// Length, its checksum, the bytes, their checksum.
function framed(bytes: Uint8Array): Uint8Array {
  const record = new Uint8Array(bytes.length + 16);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(bytes.length), true);
  view.setUint32(8, maskedCrc32c(record.subarray(0, 8)), true);
  record.set(bytes, 12);
  view.setUint32(12 + bytes.length, maskedCrc32c(bytes), true);
  return record;
}

// The hparams plugin reads a summary with its own message in the metadata (tensorboard/plugins/hparams/plugin_data.proto).
function hyperParameters(options: LoggedRun["options"], now: number): Uint8Array {
  const entries = Object.entries(options).map(([name, value]) => {
    const held =
      typeof value === "number" ? double(2, value) : typeof value === "boolean" ? integer(4, value ? 1 : 0) : text(3, value); // prettier-ignore
    return message(1, text(1, name), message(2, held));
  });
  const content = Buffer.concat([integer(1, 0), message(3, ...entries, double(5, now / 1e3))]);
  const metadata = message(9, message(1, text(1, "hparams"), raw(2, content)));
  // A null tensor, as the plugin itself writes: DT_FLOAT of no dimensions.
  const tensor = message(8, integer(1, 1), message(2));
  return message(5, message(1, text(1, "_hparams_/session_start_info"), metadata, tensor));
}
