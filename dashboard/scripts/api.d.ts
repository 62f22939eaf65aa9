/** Every generated file's text, by its path from here. */
export function generated(): Promise<Record<string, string>>;
