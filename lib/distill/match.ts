// Which layer of a teacher is most like one of the student: linear centered kernel alignment (Kornblith et al. 2019) of what both
// give for the same samples, ‖K L‖ of the centered Gram matrices over their norms. It is 1 for features that differ by a rotation
// and a scale alone, whatever the widths.
import { ArgumentError, checkOptions, ShapeError } from "../errors.js";
import { capture, inputFor, type ModuleLike } from "../nn/index.js";
import { requireModule } from "../nn/module.js";
import { compile } from "../tensor/compile.js";
import { NdArray, showShape } from "../tensor/nd-array.js";
import type { Tensor } from "../tensor/tensor.js";
import { rows } from "./losses/check.js";

/** A layer of the student with the teacher's layer that is most like it. */
export interface LayerMatch {
  readonly student: string;
  readonly teacher: string;
  /** From 0 to 1. */
  readonly similarity: number;
}

/** Options of {@link matchLayers}. */
export interface MatchOptions {
  /** Layers of the student to find partners for. Default all. */
  readonly layers?: readonly string[] | undefined;
  /** Gives the work up. */
  readonly signal?: AbortSignal | undefined;
}

const where = "distill.matchLayers";

/**
 * For every layer of the student the layer of the teacher that is most like it, by what they give for samples x [n, …]: some hundred
 * are enough. What comes out goes into `layers` of a term on features. Layers that do not give a row a sample are left out.
 *
 * @throws ArgumentError for a layer that is not there; ShapeError for fewer than 2 samples, or models that x does not fit;
 *   AbortedError.
 * @example
 * const teacher = nn.sequential(nn.linear(4, 16), nn.relu(), nn.linear(16, 16), nn.relu(), nn.linear(16, 3));
 * const student = nn.sequential(nn.linear(4, 8), nn.relu(), nn.linear(8, 3));
 * const x = array(Float32Array.from({ length: 64 }, (_, i) => Math.sin(i)), [16, 4]);
 * const layers = await distill.matchLayers(student, teacher, x, { layers: ["1"] });
 * const term = distill.hints({ teacher, layers, weight: 0.1 });
 */
export async function matchLayers(
  student: ModuleLike,
  teacher: ModuleLike,
  x: NdArray,
  options: MatchOptions = {},
): Promise<LayerMatch[]> {
  checkOptions(where, options, ["layers", "signal"]);
  requireModule(where, student);
  requireModule(where, teacher);
  if (!(x instanceof NdArray)) throw new ArgumentError(`${where}: expected samples made by array(values, shape)`);
  if ((x.shape[0] ?? 0) < 2) {
    throw new ShapeError(`${where}: expected at least 2 samples [n, …], got ${showShape(x.shape)}`);
  }
  const names: { student: string[]; teacher: string[] } = { student: [], teacher: [] };
  using alike = compile(
    (samples: Tensor) => {
      const grams = (whose: "student" | "teacher", model: ModuleLike): Tensor[] => {
        const { layers } = capture(model, inputFor(model, samples));
        const fit = [...layers].filter(
          ([, { dtype, shape }]) => dtype === "f32" && shape.length >= 2 && shape[0] === x.shape[0],
        );
        names[whose] = fit.map(([path]) => path);
        return fit.map(([, features]) => gram(features));
      };
      const [of, to] = [grams("student", student), grams("teacher", teacher)];
      return of.map((k) => to.map((l) => k.mul(l).sum()));
    },
    { name: where },
  );
  const values = await alike.run(x, { signal: options.signal });
  const wanted = options.layers ?? names.student.filter((path) => path !== "");
  return wanted.map((path) => {
    const at = names.student.indexOf(path);
    if (at === -1) {
      const known = names.student.map((name) => `"${name}"`).join(", ");
      throw new ArgumentError(`${where}: the student has no layer "${path}" with a row a sample, only ${known}`);
    }
    const row = values[at]!.map((value) => value.item());
    const best = row.indexOf(Math.max(...row));
    return { student: path, teacher: names.teacher[best]!, similarity: row[best]! };
  });
}

/** Of centered features, with norm 1; (N, N). */
function gram(features: Tensor): Tensor {
  const flat = rows(features); // (N, D)
  const centered = flat.sub(flat.mean(0, { keep: true }));
  const k = centered.matmul(centered, { transB: true });
  return k.div(k.square().sum().maximum(1e-30).sqrt());
}
