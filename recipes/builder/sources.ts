/** The sources of a recipe into one tree of items, each refusal pointing at the line of the source that it is about. */
import { LichenError } from '../../runtime/protocol/errors.ts';
import { type Packages, packageItems } from './debian.ts';
import type { Item } from './items.ts';
import type { ReadRecipe, RecipeSource } from './recipe.ts';
import { readTree } from './tree.ts';
import { bundleWorkload } from './workload.ts';

export interface SourceDoors extends Packages {
  recipePath: string;
}

/** The key of a source under which its kind is written, and what stands there. */
const subjectOf = (source: RecipeSource): [key: string, name: string] => {
  if ('bundle' in source) return ['bundle', source.bundle];
  if ('package' in source) return ['package', source.package];
  return 'link' in source ? ['link', source.at] : ['from', source.from];
};

const itemsOf = async (source: RecipeSource, doors: SourceDoors): Promise<Item[] | null> => {
  if ('bundle' in source) {
    return [{ kind: 'file', path: source.to, executable: false, ...(await bundleWorkload(doors.recipePath, source.bundle)) }];
  }
  if ('package' in source) return packageItems(source, doors);
  if ('link' in source) return [{ kind: 'link', path: source.at, target: source.link }];
  return readTree({ topPath: doors.recipePath, ...source });
};

/** In the order of the recipe, without the directories that nobody named. Error: `bad-recipe`. */
export const collectItems = async ({ recipe, complain }: ReadRecipe, doors: SourceDoors): Promise<Item[]> => {
  const items: Item[] = [];
  const taken = new Map<string, { at: number; kind: Item['kind'] }>();
  for (const [at, source] of recipe.files.entries()) {
    const [key, name] = subjectOf(source);
    const refuseHere = (says: string): never => complain([{ place: ['files', at, key], says }]);
    let found: Item[] | null;
    try {
      found = await itemsOf(source, doors);
    } catch (error) {
      if (error instanceof LichenError && error.code === 'bad-recipe') refuseHere(error.detail);
      throw error;
    }
    for (const item of found ?? refuseHere(`${name}: there is no such file in the recipe`)) {
      const first = taken.get(item.path);
      // Two sources may fill one directory, but not one file.
      if (first?.kind === 'dir' && item.kind === 'dir') continue;
      if (first !== undefined) refuseHere(`${item.path} comes from source ${first.at + 1} already`);
      taken.set(item.path, { at, kind: item.kind });
      items.push(item);
    }
  }
  return items;
};
