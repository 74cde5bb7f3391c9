/** A process in which one file of the real source says something else: text is replaced as the module is loaded. */
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';

export interface Patch {
  /** From the root of the project. */
  file: string;
  /** Stands in it exactly once. */
  find: string;
  replace: string;
}

const urlOf = (file: string): URL => new URL(`../../${file}`, import.meta.url);

/** How often what is to be replaced stands in the file; anything but once means that the patch is stale. */
export const occurrences = ({ file, find }: Patch): number => readFileSync(fileURLToPath(urlOf(file)), 'utf8').split(find).length - 1;

/** For what is imported from here on. Throws when the patch is stale: it would show nothing. */
export const patchSource = (patch: Patch): void => {
  const found = occurrences(patch);
  if (found !== 1) throw new Error(`stale: "${patch.find}" stands ${found} times in ${patch.file}`);
  const { href } = urlOf(patch.file);
  registerHooks({
    load: (url, context, next) => {
      const loaded = next(url, context);
      return url === href ? { ...loaded, source: String(loaded.source).replace(patch.find, () => patch.replace) } : loaded;
    },
  });
};
