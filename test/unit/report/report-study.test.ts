// The page of a search: which charts there are for which study, and that nothing of a study becomes markup.
import { parseHTML } from "linkedom";
import { describe, expect, it } from "vitest";
import * as report from "../../../lib/report/index.js";
import { tune, type Study } from "../../../lib/tune/index.js";

interface Node {
  readonly textContent: string;
  getAttribute(name: string): string | null;
}
interface Page {
  querySelectorAll(selector: string): Node[];
}
const parse = (page: string) => (parseHTML(page) as unknown as { document: Page }).document;
const titles = (page: Page) => page.querySelectorAll("figure h3").map(({ textContent }) => textContent);
const asStudy = (study: unknown) => study as Study;

const space = { x: tune.uniform(-1, 1), rate: tune.logUniform(1e-4, 1), kind: tune.choice(["a", "b"]) };

describe("the page of a study", () => {
  it("of one value: history, distribution, importance, reports, timeline, parallel coordinates, slices and contours", async () => {
    const study = await tune(
      space,
      (trial, { params }) => {
        for (let step = 0; step < 4; step++) trial.report(step, params.x ** 2 + 1 / (step + 1));
        return params.x ** 2 + params.rate;
      },
      { trials: 30, sampler: tune.random() },
    );
    const page = parse(await report.renderStudy(asStudy(study)));
    const heads = page.querySelectorAll("figure h3").map((head) => (head as unknown as { firstChild: Node }).firstChild.textContent); // prettier-ignore
    expect(heads).toEqual([
      "value: history",
      "value: distribution",
      "value: importance",
      "Reported values",
      "Timeline",
      "Parallel coordinates",
      "x",
      "rate",
      "kind",
      expect.stringMatching(/^(x and rate|rate and x)$/),
    ]);
    expect(page.querySelectorAll("script, iframe, object, link, img[src^='http']")).toHaveLength(0);
  });

  it("of three values: the front in every pair, and the hypervolume beside the reference that was given", async () => {
    const study = await tune(
      { x: tune.uniform(0, 1), y: tune.uniform(0, 1) },
      (_, { params: { x, y } }) => [x, 1 - x, y],
      { trials: 20, direction: ["minimize", "minimize", "maximize"], labels: ["left", "right", "up"] },
    );
    const reference = [1, 1, 0];
    const page = parse(await report.renderStudy(asStudy(study), { reference }));
    const fronts = titles(page).filter((title) => title.startsWith("Front"));
    expect(fronts.map((title) => title.split(/\d/)[0])).toEqual(["Front: left and right", "Front: left and up", "Front: right and up"]); // prettier-ignore
    const volume = await tune.hypervolume(study, reference);
    const said = titles(page).find((title) => title.startsWith("Hypervolume"))!;
    expect(Number(/^Hypervolume([\d.]+)/.exec(said)![1])).toBeCloseTo(volume, 3);
    await expect(report.renderStudy(asStudy(study), { reference: [1] })).rejects.toThrow(/3 finite numbers/);
    await expect(report.renderStudy(asStudy(study), { referense: [1] } as never)).rejects.toThrow(/did you mean "reference"/); // prettier-ignore
  });

  it("of a study without complete trials, or without a space, still comes", async () => {
    const failed = await tune({ x: tune.uniform(0, 1) }, () => NaN, { trials: 3 });
    expect(await report.renderStudy(asStudy(failed))).toContain("No trial is complete yet");
    const asked = await tune({}, (trial) => trial.suggest("x", tune.uniform(0, 1)), { trials: 12 });
    expect(await report.renderStudy(asStudy(asked))).toContain("Best trials");
  });

  it("takes names of studies, labels, parameters and choices for text", async () => {
    const evil = `<img src=x onerror="alert(1)"></style><script>alert(2)</script>`;
    const study = await tune(
      { [evil]: tune.uniform(0, 1), other: tune.int(1, 3), choice: tune.choice([evil, "b"]) },
      (trial, { params }) => {
        trial.setAttribute(evil, evil);
        return (params as { other: number }).other;
      },
      { trials: 12, name: evil, labels: [evil] },
    );
    const text = await report.renderStudy(asStudy(study));
    // Quoted attributes may hold it: there it is text.
    expect(text.replace(/="[^"]*"/g, "")).not.toMatch(/<img|<script/);
    expect(parse(text).querySelectorAll("[onerror], script, img")).toHaveLength(0);
  });
});
