// A teacher that follows its student: a copy whose weights are the moving average of the student's (Tarvainen and Valpola 2017).
// The copy belongs to the run: it starts as the student does and is freed with it.
import { requireWithin } from "../guidance/arguments.js";
import { ArgumentError, checkOptions } from "../errors.js";
import { capture, inputFor, Module, type Captured, type ModuleLike } from "../nn/index.js";
import type { ScheduleLike } from "../schedule/index.js";
import type { Tensor } from "../tensor/tensor.js";
import type { Trace } from "../tensor/trace.js";

/** Options of {@link ema}. */
export interface EmaOptions {
  /** How much of the average stays at every step, 0 to 1. May be a schedule. Default 0.999. */
  readonly decay?: ScheduleLike | undefined;
}

/** A teacher that follows its student; made by {@link ema}. */
export class EmaTeacher {
  private readonly decay: ScheduleLike;

  /** @internal See {@link ema}. */
  constructor(decay: ScheduleLike) {
    this.decay = decay;
  }

  /** @internal What the average says of x, and its next step. */
  teach(where: string, student: ModuleLike, x: Tensor): Captured {
    const { trace } = x;
    if (!(student instanceof Module)) {
      throw new ArgumentError(`${where}: distill.ema copies a student that is a module, got a function`);
    }
    if (!trace.step) {
      throw new ArgumentError(
        `${where}: distill.ema follows a student over steps, which takes train.fit or train.step`,
      );
    }
    const average = trace.step.auxiliary(this, () => copyOf(student));
    return trace.frozen(() => {
      this.follow(trace, student, average);
      return capture(average, inputFor(average, x));
    });
  }

  // average ← decay · average + (1 − decay) · student, with the student's weights before this step.
  private follow(trace: Trace, student: Module, average: Module): void {
    const { decay } = this;
    const keep =
      typeof decay === "function" ? trace.stepNumber(decay, "distill.ema: decay") : trace.scalar(decay, "f32");
    const copies = average.namedParameters();
    student.namedParameters().forEach(({ parameter }, i) => {
      if (parameter.dtype !== "f32") return;
      const copy = copies[i]!.parameter;
      const [old, now] = [trace.parameter(copy), trace.parameter(parameter)];
      trace.update(copy, now.add(old.sub(now).mul(keep)));
    });
  }
}

function copyOf(student: Module): Module {
  const copy = student.clone();
  for (const parameter of copy.parameters()) parameter.trainable = false;
  return copy;
}

/**
 * The student's own moving average as its teacher, for self-distillation: average ← decay · average + (1 − decay) · student at
 * every step (Tarvainen and Valpola 2017). It starts as the student does, lives as long as the run, and sees x as in use.
 *
 * @throws ArgumentError for a decay outside of 0 … 1.
 * @example
 * const term = distill.kd({ teacher: distill.ema({ decay: 0.99 }), temperature: 2, alpha: 0.3 });
 */
export function ema(options: EmaOptions = {}): EmaTeacher {
  const where = "distill.ema";
  checkOptions(where, options, ["decay"]);
  const { decay = 0.999 } = options;
  if (typeof decay !== "function") requireWithin(where, "decay", decay, 0, 1);
  return new EmaTeacher(decay);
}
