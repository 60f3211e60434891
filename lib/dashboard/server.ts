// The dashboard's server: studies of one storage as JSON, what changes as server-sent events, and the page that draws them. It only
// answers GET, opens the storage for reading, and answers requests alone that call it by a name of its own.
import type { FastifyInstance, FastifyReply } from "fastify";
import { ArgumentError, AthanorError } from "../errors.js";
import { got } from "../names/got.js";
import { optional } from "../guidance/optional.js";
import { openStorage } from "../tune/storage/open.js";
import type { Storage } from "../tune/storage/storage.js";
import { loadAssets } from "./assets.js";
import { Follower } from "./follower.js";
import { isLoopback, isOwnHost } from "./host.js";
import { page } from "./page.js";

/** Options of {@link serveDashboard}. */
export interface DashboardOptions {
  /** Default "127.0.0.1": this machine alone. */
  readonly host?: string;
  /** Default 8080; 0 for any that is free. */
  readonly port?: number;
  /** Names, beside addresses and localhost, that requests may call the server by. Default none. */
  readonly names?: readonly string[];
  /** Milliseconds between two looks at a study that is watched. Default 1000. */
  readonly interval?: number;
}

/** A dashboard that runs. */
export interface Dashboard {
  readonly url: string;
  /** What whoever started it ought to know; undefined where it is bound to this machine alone. */
  readonly warning: string | undefined;
  close(): Promise<void>;
}

const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"; // prettier-ignore
const headers = {
  "content-security-policy": policy,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
  "cache-control": "no-store",
};
const mostCurves = 500;

/**
 * Serves a page that shows the studies of a storage and follows them: an SQLite file, which is opened for reading only, a
 * `postgres://` address, or a storage that is open.
 *
 * @throws ArgumentError where there is no such file or the address cannot be bound; StorageError; UnsupportedError without fastify.
 */
export async function serveDashboard(place: Storage | string, options: DashboardOptions = {}): Promise<Dashboard> {
  const { host = "127.0.0.1", port = 8080, names = [], interval = 1000 } = options;
  const { default: fastify } = await optional("dashboard", "a server", ["fastify"], () => import("fastify"));
  const isOwn = typeof place === "string";
  const storage = isOwn ? await openStorage(place, { readonly: true }) : place;
  const app = fastify({ logger: false, forceCloseConnections: true });
  const known = [...names, ...(isLoopback(host) ? [] : [host])].map((name) => name.toLowerCase());
  app.addHook("onRequest", async (request, reply) => {
    void reply.headers(headers);
    if (isOwnHost(request.headers.host, known)) return;
    await reply.code(403).send({ error: `dashboard: it is not called ${got(request.headers.host)}; open it by its address, or start it with --name` }); // prettier-ignore
  });
  app.setErrorHandler((thrown, _, reply) => {
    const isSaid = thrown instanceof AthanorError;
    void reply.code(isSaid ? 400 : 500).send({ error: (thrown as Error).message });
  });
  app.setNotFoundHandler((_, reply) => void reply.code(404).send({ error: "dashboard: there is nothing here" }));
  await addPage(app);
  addStudies(app, storage, interval);
  try {
    await app.listen({ host, port });
  } catch (thrown) {
    await app.close();
    if (isOwn) await storage.close();
    const { code } = thrown as NodeJS.ErrnoException;
    throw new ArgumentError(`dashboard: port ${port} of ${host} cannot be bound (${code}); give another with --port`, { cause: thrown }); // prettier-ignore
  }
  const { port: bound } = app.server.address() as { port: number };
  const shown = host.includes(":") ? `[${host}]` : host === "0.0.0.0" ? "127.0.0.1" : host;
  const warning = isLoopback(host) ? undefined : `everyone who reaches ${host} can read the studies of ${storage.place}`; // prettier-ignore
  return {
    url: `http://${shown}:${bound}/`,
    warning,
    close: async () => {
      await app.close();
      if (isOwn) await storage.close();
    },
  };
}

async function addPage(app: FastifyInstance): Promise<void> {
  const assets = await loadAssets();
  const send = (type: string, text: string) => (_: unknown, reply: FastifyReply) => reply.type(`${type}; charset=utf-8`).send(text); // prettier-ignore
  app.get("/", send("text/html", page));
  app.get("/main.js", send("text/javascript", assets.script));
  app.get("/main.css", send("text/css", assets.style));
}

interface Asked {
  readonly name?: string;
  readonly since?: string;
  readonly number?: string;
  readonly numbers?: string;
  readonly objective?: string;
}

function addStudies(app: FastifyInstance, storage: Storage, interval: number): void {
  const followers = new Map<string, Promise<Follower>>();
  const open = async (name: string): Promise<Follower> => {
    const record = await storage.find(name);
    if (record === undefined) throw new ArgumentError(`dashboard: ${storage.place} has no study ${got(name)}`);
    return new Follower(storage, record);
  };
  // A study whose trials are kept here while the server runs: reading 10,000 anew for every question would take half a second.
  const follow = async (name: unknown): Promise<Follower> => {
    if (typeof name !== "string") throw new ArgumentError(`dashboard: expected the name of a study, got ${got(name)}`);
    let opened = followers.get(name);
    if (opened === undefined) {
      opened = open(name);
      followers.set(name, opened);
      opened.catch(() => followers.delete(name));
    }
    const follower = await opened;
    try {
      await follower.refresh();
    } catch (thrown) {
      followers.delete(name);
      throw thrown;
    }
    return follower;
  };
  app.get("/api/studies", () => storage.list());
  app.get<{ Querystring: Asked }>("/api/study", async ({ query }) => (await follow(query.name)).snapshot());
  app.get<{ Querystring: Asked }>("/api/trial", async ({ query }) => {
    const trial = (await follow(query.name)).trial(whole("number", query.number));
    if (trial === undefined) throw new ArgumentError(`dashboard: the study has no trial ${got(query.number)}`);
    return trial;
  });
  app.get<{ Querystring: Asked }>("/api/curves", async ({ query }) => {
    const numbers = (query.numbers ?? "").split(",").slice(0, mostCurves).map((text) => whole("numbers", text)); // prettier-ignore
    return (await follow(query.name)).curves(numbers);
  });
  app.get<{ Querystring: Asked }>("/api/importance", async ({ query }) =>
    (await follow(query.name)).importance(whole("objective", query.objective ?? "0")),
  );
  app.get<{ Querystring: Asked }>("/api/events", async ({ query }, reply) => {
    const since = whole("since", query.since ?? "0");
    const follower = await follow(query.name);
    reply.hijack();
    watch(reply, follower, since, interval);
  });
}

// Sends what changed, as one event an interval at most; a reader that lags behind gets it in one later.
function watch({ raw }: FastifyReply, follower: Follower, from: number, interval: number): void {
  raw.writeHead(200, { ...headers, "content-type": "text/event-stream; charset=utf-8", connection: "keep-alive" });
  let [since, width, idle, busy] = [from, follower.width, 0, false];
  const tell = async (): Promise<void> => {
    if (busy || raw.writableNeedDrain) return;
    busy = true;
    try {
      await follower.refresh();
      if (follower.revision === since) {
        if (++idle % 15 === 0) raw.write(":\n\n"); // says that it lives
        return;
      }
      const update = follower.since(follower.width === width ? since : -1);
      raw.write(`data: ${JSON.stringify(follower.width === width ? update : { ...update, head: follower.head() })}\n\n`); // prettier-ignore
      [since, width] = [follower.revision, follower.width];
    } catch (thrown) {
      raw.write(`event: gone\ndata: ${JSON.stringify({ error: (thrown as Error).message })}\n\n`);
    } finally {
      busy = false;
    }
  };
  const timer = setInterval(() => void tell(), interval);
  raw.on("close", () => clearInterval(timer));
  raw.write("retry: 2000\n\n");
  void tell();
}

function whole(what: string, text: unknown): number {
  const value = Number(text);
  if (typeof text === "string" && /^\d{1,15}$/.test(text) && Number.isSafeInteger(value)) return value;
  throw new ArgumentError(`dashboard: ${what}: expected a whole number, got ${got(text)}`);
}
