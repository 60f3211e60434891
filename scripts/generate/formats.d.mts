export const formats: { readonly path: string; render(from?: string): Promise<string | undefined> };
