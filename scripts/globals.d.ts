// The globals that athanor's declarations name. Interfaces merge: with those of lib.dom, of @types/node and of esnext.disposable they
// are one and the same.
export {};

declare global {
  interface AbortSignal {
    readonly aborted: boolean;
  }
  interface URL {
    href: string;
  }
  interface SymbolConstructor {
    readonly dispose: unique symbol;
  }
  interface Disposable {
    [Symbol.dispose](): void;
  }
}
