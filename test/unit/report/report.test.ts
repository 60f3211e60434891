import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decode } from "fast-png";
import { parseHTML } from "linkedom";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ArgumentError, FileError } from "../../../lib/errors.js";
import * as report from "../../../lib/report/index.js";
import { frontier } from "../../../lib/report/pareto-section.js";
import * as schedule from "../../../lib/schedule/index.js";

/** A document as far as the tests look at it. */
interface Page {
  querySelector(selector: string): { textContent: string; getAttribute(name: string): string | null } | null;
  querySelectorAll(selector: string): { textContent: string; getAttribute(name: string): string | null }[];
}

const parse = (page: string) => (parseHTML(page) as unknown as { document: Page }).document;
const squeezed = (text: string | undefined) => text?.replace(/\s+/g, " ").trim();

const pixels = Uint8Array.from({ length: 9 }, (_, i) => i * 30);
const mlp: report.ModelReport = {
  name: "mlp",
  description: "784 → 10",
  summary: { accuracy: 0.9835, parameters: 535_818, bytes: 2_146_304, samples: 10_000, latencyMicros: { median: 11.3, p10: 11.1, p90: 12.8 }, samplesPerSecond: { median: 231_000, p10: 200_000, p90: 240_000 } },
  history: {
    steps: Array.from({ length: 1000 }, (_, step) => ({ step, loss: 2.3 * Math.exp(-step / 100), lr: 1e-3 })),
    epochs: [499, 999].map((step, epoch) => ({ step, epoch, metrics: { "val.loss": 0.5 / (epoch + 1), "val.accuracy": 0.9 + epoch / 20 } })),
  },
  confusion: { classes: 3, counts: [90, 7, 3, 0, 80, 0, 1, 0, 70], names: ["cat", "dog", "<fox>"] },
  mistakes: [
    { pixels, predicted: 1, actual: 0, probability: 0.6 },
    { pixels, predicted: 2, actual: 0, probability: 0.97 },
  ],
  layers: [{ name: "0.weight", shape: [2, 4], histogram: report.histogram([0, 0, 0, 0, -1, 1, 0.5, -0.5]) }],
}; // prettier-ignore
const cnn: report.ModelReport = {
  name: "cnn",
  summary: { accuracy: 0.9921, parameters: 1_000_000, nonzero: 250_000, seconds: 96 },
};
const whole: report.RunReport = {
  title: "Digits & more",
  lead: 'Read "this"',
  dataset: { name: "MNIST", train: 55_000, validation: 5_000, test: 10_000 },
  machine: { isa: "avx2", threads: 2, node: "20.20.2" },
  seconds: 141,
  created: "2026-01-02T03:04:05.678Z",
  models: [mlp, cnn],
  next: ["Quantize it."],
};

describe("the page", () => {
  let text: string;
  let page: Page;
  beforeAll(async () => {
    text = await report.render(whole);
    page = parse(text);
  });

  it("needs nothing from elsewhere and runs nothing", () => {
    expect(text).not.toMatch(/<script|<link|@import|url\(|https?:\/\/(?!www\.w3\.org\/)/);
    for (const image of page.querySelectorAll("img"))
      expect(image.getAttribute("src")).toMatch(/^data:image\/png;base64,/);
  });

  it("has light and dark, and every colour that its charts use", () => {
    expect(text).toContain("prefers-color-scheme: dark");
    const defined = new Set([...text.matchAll(/(--[\w-]+):/g)].map(([, name]) => name));
    for (const [, name] of text.matchAll(/var\((--[\w-]+)\)/g)) expect(defined).toContain(name);
  });

  it("says what was done, on what, how long", () => {
    expect(page.querySelector("h1")?.textContent).toBe("Digits & more");
    expect(page.querySelector(".lead")?.textContent).toBe('Read "this"');
    expect(page.querySelectorAll(".meta li").map(({ textContent }) => textContent)).toEqual([
      "MNIST: 55,000 to train on, 5,000 to validate, 10,000 to test",
      "avx2, 2 threads, Node 20.20.2",
      "2 m 21 s in all",
      "2026-01-02 03:04 UTC",
    ]);
    expect(squeezed(page.querySelector(".next")?.textContent)).toBe("What to try next Quantize it.");
  });

  it("tabulates the models, with how sure each figure is, and sets off the best", () => {
    const cells = page.querySelectorAll("tbody th, tbody td").map(({ textContent }) => squeezed(textContent));
    expect(cells).toEqual([
      "mlp", "98.35 %± 0.25 %", "535,818", "–", "2.15 MB", "–", "11.3 µs11.1–12.8", "231k200–240",
      "cnn", "99.21 %", "1,000,000", "75.00 %", "–", "1 m 36 s", "–", "–",
    ]); // prettier-ignore
    expect(page.querySelectorAll("td.best").map(({ textContent }) => squeezed(textContent))).toEqual([
      "535,818",
      "99.21 %",
    ]);
  });

  it("explains every column, where it is hovered over and in a list", () => {
    const headings = page.querySelectorAll("thead th").slice(1);
    expect(page.querySelectorAll(".notes dt").map(({ textContent }) => textContent)).toEqual(headings.map(({ textContent }) => textContent)); // prettier-ignore
    expect(page.querySelectorAll(".notes dd").map(({ textContent }) => textContent)).toEqual(headings.map((th) => th.getAttribute("title"))); // prettier-ignore
    for (const td of page.querySelectorAll("tbody td")) expect(td.getAttribute("title")).not.toBe("");
  });

  it("leads to every section; a model's is folded, and opens where its link leads", () => {
    const links = page.querySelectorAll("nav a").map((a) => a.getAttribute("href")!);
    expect(links).toEqual(["#summary", "#training", "#model-1"]);
    for (const link of links) expect(page.querySelectorAll(`[id="${link.slice(1)}"]`)).toHaveLength(1);
    expect(page.querySelectorAll("details.model #model-1")).toHaveLength(1);
  });

  it("says what it shows to those who do not see it", () => {
    for (const drawing of page.querySelectorAll("svg")) {
      expect(drawing.getAttribute("role")).toBe("img");
      expect(drawing.getAttribute("aria-label")).toMatch(/\w/);
    }
    for (const image of page.querySelectorAll("img")) expect(image.getAttribute("alt")).toMatch(/\w/);
    expect(page.querySelectorAll("table caption, tbody th[scope=row], thead th[scope=col]")).toHaveLength(1 + 2 + 8);
  });

  it("draws loss, what was measured at epochs, and the rate", () => {
    const charts = page.querySelectorAll(".charts figure h3").map(({ textContent }) => textContent);
    expect(charts).toEqual(["Lossline: training; dots: validation", "Accuracyon validation data", "Learning rate"]);
    const titles = page.querySelectorAll(".charts circle title").map(({ textContent }) => textContent);
    expect(titles).toContain("mlp, step 1000: 95.00 %");
    expect(titles).toContain("mlp, step 500: 0.5000");
  });

  it("shows the confusion matrix and its most frequent mix-ups, names escaped", () => {
    const counts = page.querySelectorAll(".heat g[aria-label=text] text").map(({ textContent }) => textContent);
    expect(counts.filter((count) => /^\d+$/.test(count)).toSorted()).toEqual(["1", "3", "7", "70", "80", "90"]);
    expect(page.querySelectorAll(".heat rect title").map(({ textContent }) => textContent)).toContain(
      "7 × cat read as dog",
    );
    expect(page.querySelectorAll(".mixups li").map(({ textContent }) => squeezed(textContent))).toEqual([
      "cat read as dog7", "cat read as <fox>3", "<fox> read as cat1",
    ]); // prettier-ignore
    expect(text).not.toContain("<fox>");
    expect(text).toContain("11 of 251 wrong, 4.38 %");
  });

  it("draws the mistakes, the surest first, dark ink on light paper", () => {
    const captions = page.querySelectorAll(".digits figure").map(({ textContent }) => squeezed(textContent));
    expect(captions).toEqual(["cat read as <fox>97 % sure", "cat read as dog60 % sure"]);
    const [source] = page.querySelectorAll(".digits img").map((image) => image.getAttribute("src")!);
    const image = decode(Buffer.from(source!.split(",")[1]!, "base64"));
    expect([image.width, image.height, image.channels, [...image.data]]).toEqual([
      3,
      3,
      1,
      [...pixels].map((ink) => 255 - ink),
    ]);
  });

  it("draws each layer's weights and says how many are zero", () => {
    expect(page.querySelectorAll(".layers figure")).toHaveLength(1);
    expect(squeezed(page.querySelector(".layers p")?.textContent)).toBe("2 × 4, 50.00 % zero−1 to 1, deviation 0.56");
  });

  it("leaves out what is not known: no section without data", async () => {
    const bare = parse(await report.render({ title: "Bare", models: [{ name: "a", summary: {} }] }));
    expect(bare.querySelectorAll("h2").map(({ textContent }) => textContent)).toEqual(["Summary"]);
    expect(bare.querySelectorAll("svg, .next, .meta, .notes, nav")).toHaveLength(0);
  });

  it("stands a run that diverged, and one without models", async () => {
    const steps = [1, 10, NaN, Infinity].map((loss, step) => ({ step, loss }));
    await expect(
      report.render({ title: "Nan", models: [{ name: "a", summary: { accuracy: NaN }, history: { steps } }] }),
    ).resolves.toContain("Loss");
    const allNaN = [{ step: 0, loss: NaN }];
    await expect(
      report.render({ title: "NaN", models: [{ name: "a", summary: {}, history: { steps: allNaN } }] }),
    ).resolves.toContain("Loss");
    await expect(report.render({ title: "None", models: [] })).resolves.toContain("None");
  });

  it("explains pixels that make no rectangle", async () => {
    const mistakes = [{ pixels: new Uint8Array(10), predicted: 0, actual: 1, probability: 1 }];
    await expect(report.render({ title: "x", models: [{ name: "a", summary: {}, mistakes }] })).rejects.toThrow(
      new ArgumentError("report: an image of 10 pixels is no square; give the width of the mistake"),
    );
  });
});

describe("files and text", () => {
  const folder = mkdtempSync(join(tmpdir(), "athanor-report-"));
  afterAll(() => rmSync(folder, { recursive: true }));

  it("writes the page into folders that it makes, and says where it cannot", async () => {
    const path = join(folder, "a", "b", "report.html");
    await report.write(path, { title: "Written", models: [] });
    expect(readFileSync(path, "utf8")).toMatch(/^<!doctype html>/);
    await expect(report.write(join(path, "under-a-file.html"), { title: "x", models: [] })).rejects.toThrow(FileError);
  });

  it("tabulates for a terminal: what models are, then how fast", () => {
    const other: report.ModelReport = { name: "a longer name", summary: { accuracy: 0.5, bytes: 900 } };
    expect(report.textTable([mlp, other]).split("\n")).toEqual([
      "model                  accuracy  parameters  on disk",
      "────────────────────────────────────────────────────",
      "mlp            98.35 % ± 0.25 %     535,818  2.15 MB",
      "a longer name           50.00 %           –    900 B",
      "",
      "model                      latency       samples/s",
      "──────────────────────────────────────────────────",
      "mlp            11.3 µs (11.1–12.8)  231k (200–240)",
      "a longer name                    –               –",
      "",
      "In brackets: the 10th to 90th percentile over rounds in which the models took turns.",
    ]);
  });

  it("plots a schedule as an SVG file of its own", async () => {
    const svg = await report.plotSchedule(schedule.cosine({ peak: 1e-3, warmup: 0.1 }), { steps: 100 });
    expect(svg).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" /);
    const head = svg.slice(0, svg.indexOf(">"));
    expect(head.match(/ style="/g)).toHaveLength(1); // XML allows an attribute once
    for (const [, color] of svg.matchAll(/var\((--[\w-]+)/g)) expect(head).toContain(`${color}:`);
    await expect(report.plotSchedule(0.1, { steps: 0 })).rejects.toThrow(
      /steps must be a whole number from 1 on, got 0/,
    );
  });
});

describe("histogram", () => {
  it("bins from least to most and counts zeros apart", () => {
    expect(report.histogram([-1, -0.5, 0, 0, 0.5, 1], 4)).toEqual({
      from: -1, to: 1, counts: [1, 1, 0, 2], zeros: 2, min: -1, max: 1, mean: 0, deviation: Math.sqrt(2.5 / 6),
    }); // prettier-ignore
  });

  it("keeps outliers in the end bins and still says where they are", () => {
    const values = Float64Array.from({ length: 10_001 }, (_, i) => (i === 10_000 ? 1e3 : Math.sin(i)));
    const { counts, to, max, mean, deviation } = report.histogram(values);
    expect(max).toBe(1e3);
    expect(to).toBeLessThan(100);
    expect(counts.at(-1)).toBe(1);
    expect(counts.reduce((a, b) => a + b, 0)).toBe(10_000); // sin(0) is an exact zero
    const expectedMean = values.reduce((a, b) => a + b, 0) / values.length;
    expect(mean).toBeCloseTo(expectedMean, 12);
    expect(deviation).toBeCloseTo(
      Math.sqrt(values.reduce((a, v) => a + (v - expectedMean) ** 2, 0) / values.length),
      9,
    );
  });

  it.each([[[]], [[0, 0]], [[3, 3, 3]]])("stands %j", (values) => {
    const { counts, zeros, deviation, from, to } = report.histogram(values);
    expect(counts.reduce((a, b) => a + b, 0) + zeros).toBe(values.length);
    expect(deviation).toBe(0);
    expect(from).toBe(to);
  });
});

describe("what accuracy costs", () => {
  const point = (name: string, cost: number, gain: number) => ({ name, color: "var(--c0)", cost, gain });

  it("joins the models that none beats in both, by rising cost", () => {
    const points = [
      point("a", 10, 0.9),
      point("b", 5, 0.9),
      point("c", 20, 0.95),
      point("d", 30, 0.94),
      point("e", 1, 0.5),
    ];
    expect(frontier(points).map(({ name }) => name)).toEqual(["e", "b", "c"]);
    expect(frontier([point("a", 1, 1), point("b", 1, 1)])).toHaveLength(2);
  });

  it("is drawn for three models and more, and shows what weights were before", async () => {
    const models = [1, 2, 3].map((i): report.ModelReport => ({
      name: `m${i}`,
      summary: { accuracy: 0.9 + i / 100, bytes: 1000 * i, latencyMicros: { median: 10 * i, p10: 9 * i, p90: 20 * i } },
      layers: [
        {
          name: "w",
          shape: [4],
          histogram: report.histogram([0, 0, 1, -1]),
          before: report.histogram([0.1, -0.2, 1, -1]),
        },
      ],
    }));
    const page = await report.render({ title: "Costs", models });
    expect(page).toContain("What accuracy costs");
    expect(page).toContain("m2: 92.00 %, 2.00 kB");
    expect(page).toContain("outline: before compression");
    expect(page).toContain("50.00 % zero");
    expect(await report.render({ title: "Costs", models: models.slice(1) })).not.toContain("What accuracy costs");
  });
});
