// The dashboard's page in a real browser, headless: 10,000 trials, every view, wide and narrow, names that would be markup, trials that come while
// it is open. Left out, and said so, where there is no Chromium (CHROMIUM names one). ATHANOR_PICTURES=folder keeps what it looks like.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { serveDashboard, type Dashboard } from "../../lib/dashboard/index.js";
import { tune } from "../../lib/tune/index.js";
import { flatten } from "../../lib/tune/space/index.js";
import { Browser, findBrowser, type Page } from "./browser.js";
import { addTrial, fill, hostile } from "./studies.js";

const program = findBrowser();
if (program === undefined) console.log("no Chromium here: the dashboard's page is not tested in a browser");

const storage = new tune.MemoryStorage();
const large = "ten thousand";
const space = { rate: tune.logUniform(1e-5, 1e-1), [hostile]: tune.uniform(0, 0.5), width: tune.int(1, 64) };
const views = ["Overview", "Front", "Slices", "Contour", "Parallel", "Curves", "Timeline", "Trials"];

describe.skipIf(program === undefined)("the page", { timeout: 120_000 }, () => {
  let dashboard: Dashboard;
  let browser: Browser;
  let page: Page;
  let id: number;
  beforeAll(async () => {
    await fill(storage, { name: large, trials: 10_000, reports: 10 });
    id = await fill(storage, { name: hostile, trials: 40, reports: 6, directions: ["minimize", "maximize", "minimize"], labels: [hostile, "second", "third"], space }); // prettier-ignore
    dashboard = await serveDashboard(storage, { port: 0, interval: 50 });
    browser = new Browser(program!);
    page = await browser.page();
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    await dashboard?.close();
  });

  const show = async (study: string, view: string): Promise<void> => {
    await page.goto("about:blank");
    await page.goto(`${dashboard.url}#${new URLSearchParams({ study, view }).toString()}`);
    await page.until(`document.querySelector("[aria-current=page]")?.textContent === ${JSON.stringify(view)}`);
  };
  const keep = async (name: string): Promise<void> => {
    const folder = process.env.ATHANOR_PICTURES;
    if (folder === undefined) return;
    await mkdir(folder, { recursive: true });
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await writeFile(join(folder, `${name}.png`), await page.picture());
  };
  // Whether something was drawn on every canvas; each has all of one colour until then.
  const drawn = `[...document.querySelectorAll("canvas")].length > 0 && [...document.querySelectorAll("canvas")].every((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return data.some((value) => value !== data[0]);
  })`;
  // What would be there if a name had been taken for markup.
  const harmless = `document.querySelectorAll("img, script:not([src]), [onerror]").length === 0 && window.name !== "owned"`;

  it("lists the studies", async () => {
    await page.goto(dashboard.url);
    await page.until(`document.querySelectorAll(".study").length === 2`);
    expect(await page.evaluate(`[...document.querySelectorAll(".study b")].map((name) => name.textContent)`)).toEqual([hostile, large]); // prettier-ignore
    expect(await page.evaluate(harmless)).toBe(true);
    await keep("list");
  });

  describe.each([
    ["wide", 1280, false],
    ["narrow", 390, true],
  ] as const)("%s", (name, width, isDark) => {
    beforeAll(async () => {
      await page.resize(width, 900);
      await page.dark(isDark);
    });
    it.each(views.filter((view) => view !== "Front"))("%s of 10,000 trials", async (view) => {
      await show(large, view);
      await page.until(view === "Trials" ? `document.querySelectorAll(".rows .row").length > 10` : drawn);
      await keep(`${name}-${view}`);
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(width);
      expect(await page.evaluate(harmless)).toBe(true);
    });
    it.each(views)("%s of a study of three values with names that would be markup", async (view) => {
      await show(hostile, view);
      await page.until(view === "Trials" ? `document.querySelectorAll(".rows .row").length > 10` : drawn);
      await keep(`${name}-hostile-${view}`);
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(width);
      expect(await page.evaluate(harmless)).toBe(true);
    });
  });

  it("has the rows in sight alone in its table, and all of them by scrolling, sorting and searching", async () => {
    await page.resize(1280, 900);
    await show(large, "Trials");
    await page.until(`document.querySelectorAll(".rows .row").length > 10`);
    const numbers = `[...document.querySelectorAll(".rows .row")].map((row) => Number(row.firstElementChild.textContent))`;
    expect(await page.evaluate(`document.querySelectorAll(".rows .row").length`)).toBeLessThan(100);
    await page.evaluate(`document.querySelector(".table").scrollTop = 1e9`);
    await page.until(`${numbers}.at(-1) === 9999`);
    expect(await page.evaluate(`document.querySelectorAll(".rows .row").length`)).toBeLessThan(100);
    await page.evaluate(`document.querySelector(".table").scrollTop = 0`);
    await page.evaluate(
      `[...document.querySelectorAll(".row.head button")].find((head) => head.title === "loss").click()`,
    );
    const { best } = await tune.load(storage, large);
    await page.until(`${numbers}[0] === ${best!.number}`);
    await page.evaluate(
      `(() => { const box = document.querySelector("select"); box.value = "failed"; box.dispatchEvent(new Event("change")); })()`,
    );
    await page.until(`document.querySelector(".picks .note").textContent === "200 of 10,000 trials"`);
  });

  it("shows all of a trial, as text", async () => {
    await show(hostile, "Trials");
    await page.until(`document.querySelectorAll(".rows .row").length > 10`);
    await page.evaluate(`document.querySelectorAll(".rows .row")[7].click()`);
    await page.until(`document.querySelector("dialog[open]")`);
    const text = await page.evaluate<string>(`document.querySelector("dialog").textContent`);
    expect(text).toContain(`Trial 7failed${hostile}: ${hostile}`.slice(1));
    expect(await page.evaluate(harmless)).toBe(true);
    await keep("trial");
  });

  it("takes in trials that end while it is open", async () => {
    await show(hostile, "Overview");
    const count = `Number(document.querySelector(".facts b").textContent)`;
    await page.until(`${count} === 40`);
    for (let i = 0; i < 5; i++) await addTrial(storage, id, flatten(space), 3);
    await page.until(`${count} === 45`);
  });

  it("went through all of that without an error of its scripts or of its policy", () => {
    expect(page.troubles).toEqual([]);
  });
});
