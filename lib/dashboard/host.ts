// Which names a request may call this server by. A page elsewhere can make its own name point here (DNS rebinding) and would then read
// what is served; an address cannot be rebound, and neither can the names that always mean this machine.
import { isIP } from "node:net";

/** Whether the Host header of a request is an address, localhost, or one of `names`. */
export function isOwnHost(header: string | undefined, names: readonly string[]): boolean {
  if (header === undefined) return false;
  const parts = /^(?:\[([0-9a-f:.]+)\]|([^:[\]\s/@]+))(?::\d{1,5})?$/i.exec(header);
  if (parts === null) return false;
  const [, six, name] = parts;
  if (six !== undefined) return isIP(six) === 6;
  const lower = name!.toLowerCase();
  return isIP(lower) === 4 || lower === "localhost" || names.includes(lower);
}

/** Whether an address can be reached from this machine alone. */
export const isLoopback = (host: string): boolean => host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host); // prettier-ignore
