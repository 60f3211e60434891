export const rules: { readonly path: string; render(from?: string): Promise<string | undefined> };
