/** What every command is given. */
export interface Context {
  readonly signal: AbortSignal;
}
