/** A kernel as its packages bring it: one package in Debian 13, from 7.x on one for each of its parts. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { refuse } from '../runtime/protocol/errors.ts';

export interface Kernel {
  version: string;
  /** What is started. */
  image: string;
  /** Folder of modules, in folders by what they are. */
  modules: string;
  /** Folder of lists about what is built in. */
  lists: string;
  /** Folder of the device trees, by maker; not everywhere. */
  tables: string;
}

export const isKernel = ({ name }: { name: string }): boolean => /^linux-(image|base|binary|modules)-\d/.test(name);

export const kernelIn = (trees: Map<string, string>): Kernel => {
  const homes = [...trees].filter(([name]) => isKernel({ name })).map(([, tree]) => tree);
  const found = (path: string): string | undefined => homes.map((home) => join(home, path)).find((one) => existsSync(one));
  const version = homes.flatMap((home) => (existsSync(join(home, 'usr/lib/modules')) ? readdirSync(join(home, 'usr/lib/modules')) : []))[0];
  const below = `usr/lib/modules/${version}`;
  const [image, modules] = [found(`boot/vmlinuz-${version}`) ?? found(`${below}/vmlinuz`), found(`${below}/kernel`)];
  const lists = found(`${below}/modules.builtin`);
  if (version === undefined || image === undefined || modules === undefined || lists === undefined)
    return refuse('image-failed', 'the locked packages hold no kernel: "lichen image lock" refreshes the lock');
  const tables = found(`${below}/dtb`) ?? found(`usr/lib/linux-image-${version}`) ?? '';
  return { version, image, modules, lists: join(lists, '..'), tables };
};
