// The dashboard's server: what it answers, to whom, and what it never does.
import { request } from "node:http";
import { connect } from "node:net";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isOwnHost } from "../../lib/dashboard/host.js";
import { serveDashboard, type Dashboard } from "../../lib/dashboard/index.js";
import type { Snapshot, Update } from "../../lib/dashboard/message.js";
import { tune } from "../../lib/tune/index.js";
import { addTrial, fill, hostile } from "./studies.js";
import { flatten } from "../../lib/tune/space/index.js";

const storage = new tune.MemoryStorage();
let dashboard: Dashboard;
let id: number;

beforeAll(async () => {
  id = await fill(storage, { name: hostile, trials: 60, reports: 5 });
  dashboard = await serveDashboard(storage, { port: 0, interval: 20 });
});
afterAll(async () => dashboard.close());

interface Reply {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly text: string;
}
function ask(
  path: string,
  { method = "GET", host }: { readonly method?: string; readonly host?: string } = {},
): Promise<Reply> {
  // prettier-ignore
  const { port, host: own } = new URL(dashboard.url);
  return new Promise((resolve, reject) => {
    const sent = request({ port, host: "127.0.0.1", path, method, headers: { host: host ?? own } }, (reply) => {
      let text = "";
      reply.setEncoding("utf8").on("data", (part: string) => (text += part));
      reply.on("end", () => resolve({ status: reply.statusCode!, headers: reply.headers, text }));
    });
    sent.on("error", reject).end();
  });
}
const json = async <T>(path: string): Promise<T> => JSON.parse((await ask(path)).text) as T;
const query = (more: Record<string, string> = {}): string => new URLSearchParams({ name: hostile, ...more }).toString();

describe("what it answers", () => {
  it("studies, their trials as rows, one trial, curves, importance", async () => {
    expect(await json("/api/studies")).toEqual([{ name: hostile, trials: 60, created: expect.any(Number) as number }]);
    const { head, rows, count } = await json<Snapshot>(`/api/study?${query()}`);
    expect(count).toBe(60);
    expect(head.parameters.map(({ name }) => name)).toEqual(["rate", "width", "dropout", "act"]);
    const { records, trials } = await tune.load(storage, hostile);
    for (const [i, [number, state, params, values, feasible, , , lastStep]] of rows.entries()) {
      expect([number, state, lastStep]).toEqual([i, records[i]!.state, 4]);
      expect(params).toEqual(head.parameters.map(({ name }) => records[i]!.params[name]));
      expect(values).toEqual(state === "complete" ? records[i]!.values : null); // JSON has no Infinity
      expect(feasible).toBe(state === "complete" ? 1 : 0);
    }
    const trial = await json<object>(`/api/trial?${query({ number: "7" })}`);
    expect(trial).toMatchObject({ number: 7, state: "failed", error: { name: hostile }, params: trials[7]!.params });
    const curves = await json<object[]>(`/api/curves?${query({ numbers: "3,59" })}`);
    expect(curves).toMatchObject([{ number: 3, steps: [0, 1, 2, 3, 4] }, { number: 59 }]);
    const study = await tune.load(storage, hostile);
    expect(await json(`/api/importance?${query({ objective: "0" })}`)).toEqual(await tune.importance(study));
  });

  it.each([
    ["/api/study?name=no", 400, /has no study "no"/],
    ["/api/study", 400, /expected the name of a study/],
    [`/api/trial?${query({ number: "999" })}`, 400, /no trial "999"/],
    [`/api/trial?${query({ number: "-1" })}`, 400, /expected a whole number, got "-1"/],
    [`/api/trial?${query({ number: "1e3" })}`, 400, /expected a whole number/],
    [`/api/importance?${query({ objective: "5" })}`, 400, /objective: expected a whole number from 0 to 0/],
    ["/nothing", 404, /nothing here/],
    ["/../package.json", 404, /nothing here/],
    ["/..%2f..%2fpackage.json", 404, /nothing here/],
    ["/main.js/../../../package.json", 404, /nothing here/],
    ["/%2e%2e/%2e%2e/etc/passwd", 404, /nothing here/],
  ])("%s: %d", async (path, status, message) => {
    const reply = await ask(path);
    expect(reply.status).toBe(status);
    expect((JSON.parse(reply.text) as { error: string }).error).toMatch(message);
  });

  it("tells what changes as events, from the revision on that the reader has", async () => {
    const { revision, count, head } = await json<Snapshot>(`/api/study?${query()}`);
    const events = await fetch(`${dashboard.url}api/events?${query({ since: String(revision) })}`);
    expect(events.headers.get("content-type")).toMatch(/^text\/event-stream/);
    const reader = events.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    const next = async (): Promise<Update> => {
      for (;;) {
        const found = /data: (.*)\n\n/.exec(text);
        if (found !== null) {
          text = text.slice(found.index + found[0].length);
          return JSON.parse(found[1]!) as Update;
        }
        text += (await reader.read()).value ?? "";
      }
    };
    const flat = flatten({ rate: tune.logUniform(1e-5, 1e-1), width: tune.int(16, 512, { step: 16 }), dropout: tune.uniform(0, 0.5), act: tune.choice(["relu", "gelu", hostile]) }); // prettier-ignore
    await addTrial(storage, id, flat, 1);
    let update = await next();
    while (update.rows.at(-1)?.[1] === "running") update = await next();
    expect(update.count).toBe(count + 1);
    expect(update.rows.map(([number, state]) => [number, state])).toEqual([[count, "complete"]]);
    expect(update.rows[0]![2]).toHaveLength(head.parameters.length);
    await reader.cancel();
  });
});

describe("to whom", () => {
  it.each([
    ["evil.example", false],
    ["evil.example:8080", false],
    ["localhost.evil.example", false],
    ["127.0.0.1.evil.example", false],
    ["127.0.0.1@evil.example", false],
    ["", false],
    ["[::1", false],
    ["127.1", false],
    ["localhost", true],
    ["LOCALHOST:1", true],
    ["127.0.0.1:8080", true],
    ["[::1]:8080", true],
    ["192.168.1.7:8080", true],
    ["search.intern:8080", true],
  ])("host %j: %s", async (host, isFine) => {
    expect(isOwnHost(host, ["search.intern"])).toBe(isFine);
    if (host !== "" && host !== "search.intern:8080") expect((await ask("/api/studies", { host })).status).toBe(isFine ? 200 : 403); // prettier-ignore
  });

  it("listens on this machine alone, unless it is told otherwise and says so", async () => {
    expect(dashboard.warning).toBeUndefined();
    expect(new URL(dashboard.url).hostname).toBe("127.0.0.1");
    const open = await serveDashboard(storage, { port: 0, host: "0.0.0.0" });
    expect(open.warning).toMatch(/everyone who reaches 0\.0\.0\.0 can read the studies/);
    await open.close();
  });

  it("says which port is taken", async () => {
    const port = Number(new URL(dashboard.url).port);
    await expect(serveDashboard(storage, { port })).rejects.toThrow(/port \d+ of 127\.0\.0\.1 cannot be bound \(EADDRINUSE\)/); // prettier-ignore
  });
});

describe("what it never does", () => {
  it("takes no method but GET and HEAD, whatever the path", async () => {
    for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"]) {
      for (const path of ["/", "/api/studies", `/api/study?${query()}`]) expect((await ask(path, { method })).status).toBe(404); // prettier-ignore
    }
  });

  it("puts nothing of a study into the page, and lets the page load and run nothing but its own files", async () => {
    const { text, headers } = await ask("/");
    expect(text).not.toContain("img");
    const policy = String(headers["content-security-policy"]);
    for (const rule of ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"]) expect(policy).toContain(rule); // prettier-ignore
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
    for (const path of ["/", "/main.js", "/main.css", "/api/studies", "/nothing"]) {
      expect((await ask(path)).headers).toMatchObject({ "x-content-type-options": "nosniff", "cross-origin-resource-policy": "same-origin" }); // prettier-ignore
    }
  });

  it("survives requests that are cut off", async () => {
    const { port } = new URL(dashboard.url);
    for (const text of [
      "GET /api/studies HT",
      "GET / HTTP/1.1\r\n\r\n",
      "\0\0\0\r\n\r\n",
      "GET /" + "a".repeat(100_000),
    ]) {
      await new Promise<void>((resolve) => {
        const socket = connect(Number(port), "127.0.0.1", () => socket.end(text));
        socket.on("error", () => undefined).on("close", () => resolve()).resume(); // prettier-ignore
      });
    }
    expect((await ask("/api/studies")).status).toBe(200);
  });

  it("writes nothing to a file, and makes none", async () => {
    const folder = await mkdtemp(join(tmpdir(), "athanor-dashboard-"));
    try {
      const path = join(folder, "study.db");
      await expect(serveDashboard(path, { port: 0 })).rejects.toThrow(/there is no such file/);
      await tune({ x: tune.uniform(0, 1) }, (_, { params }) => params.x, { trials: 5, storage: path });
      const [before, bytes] = [await stat(path), await readFile(path)];
      const shown = await serveDashboard(path, { port: 0 });
      const { count } = (await (await fetch(`${shown.url}api/study?name=study`)).json()) as Snapshot;
      expect(count).toBe(5);
      await shown.close();
      expect((await stat(path)).mtimeMs).toBe(before.mtimeMs);
      expect((await readFile(path)).equals(bytes)).toBe(true);
      const readonly = await tune.openStorage(path, { readonly: true });
      await expect(readonly.annotate(1, { a: 1 })).rejects.toThrow(/readonly/);
      await readonly.close();
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
