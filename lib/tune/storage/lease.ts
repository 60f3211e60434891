// What storages say of leases.
import { LeaseLostError } from "../../errors.js";
import type { Outcome, Ticket } from "./storage.js";

/** The refusal of a write with an old ticket; `fence` is the newest one, where it is known. */
export function leaseLost(ticket: Ticket, fence: number | undefined): LeaseLostError {
  const claims = fence === undefined ? "" : ` (claim ${fence}, this one is ${ticket.fence})`;
  return new LeaseLostError(
    `tune: trial ${ticket.number}: another worker has taken it over${claims}, because this one gave no sign of life for the length of the lease; its result is not written. Raise lease if the machine was only slow`,
  );
}

/** What becomes of a trial that lost its worker too often. */
export const lostTooOften = (losses: number): Outcome => ({
  state: "failed",
  error: {
    name: "LeaseLostError",
    message: `its worker stopped ${losses} times without a word: does it crash the process?`,
  },
});
