/** Takes what a card says about its board: gathered, judged file by file, kept, and only then wiped. */
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { writeDurably } from '../../runtime/adapters/disk.ts';
import { keepSetup, type Told } from '../../runtime/adapters/setup.ts';
import { asLichenError, ERRORS, refuse } from '../../runtime/protocol/errors.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { kernelWords, networkWords, userWords } from './cloud-init.ts';
import { NAME as LICHEN_JSON, lichenWords } from './lichen-json.ts';
import { configurationOf, type Wifi, wifiIn } from './wifi.ts';
import { joined, namesOf, type Words } from './words.ts';

const NOTHING = (): Words => ({ setup: {}, ignored: [] });

/** In the order in which one goes before another: what a person wrote by hand is last. */
export const READERS: Record<string, (text: string) => Words> = {
  'meta-data': NOTHING,
  'cmdline.txt': kernelWords,
  'user-data': userWords,
  'network-config': networkWords,
  [LICHEN_JSON]: lichenWords,
};

/** A card keeps what was deleted: the bytes are written over first, for what that is worth on flash. */
const wipe = (path: string): void => {
  const fd = openSync(path, 'r+');
  writeSync(fd, ' '.repeat(statSync(path).size), 0);
  fsyncSync(fd);
  closeSync(fd);
  rmSync(path);
};

const textIn = (folder: string, name: string): string => {
  const { size } = statSync(join(folder, name));
  if (size > LIMITS.setupBytes) refuse('too-large', `${name} is longer than ${LIMITS.setupBytes} bytes`);
  return readFileSync(join(folder, name), 'utf8');
};

const wifiPath = (data: string): string => join(data, 'wifi.json');

const keepWifi = (data: string, { country, wifi }: Words): void => {
  if (country === undefined && wifi === undefined) return;
  const before: Wifi = existsSync(wifiPath(data)) ? wifiIn(readFileSync(wifiPath(data), 'utf8')) : { country: null, networks: [] };
  const now = { country: country ?? before.country, networks: wifi ?? before.networks };
  writeDurably(wifiPath(data), JSON.stringify(now));
  writeDurably(join(data, 'wifi.conf'), configurationOf(now));
};

/** `folder`: the card's first partition; `data`: of the board. A file that is wrong stays as it is, and the others are taken all the same. */
export const importFrom = (folder: string, data: string): Told => {
  const found = Object.keys(READERS).filter((name) => existsSync(join(folder, name)));
  const [good, wrong]: [{ name: string; words: Words }[], Told['wrong']] = [[], []];
  for (const name of found) {
    try {
      good.push({ name, words: READERS[name]?.(textIn(folder, name)) ?? NOTHING() });
    } catch (thrown) {
      const { code, detail } = asLichenError(thrown);
      const next = code === 'internal' ? ERRORS[code].next : `Put the card into a computer and mend ${name} on its first partition.`;
      wrong.push({ file: name, why: detail, next });
    }
  }
  const words = joined(good.map((one) => one.words));
  const told = { imported: namesOf(words), ignored: words.ignored, wrong };
  if (good.length > 0) {
    keepSetup(data, words.setup);
    keepWifi(data, words);
    for (const { name } of good) wipe(join(folder, name));
  }
  return told;
};

/** For every console. */
export const linesOf = ({ imported, ignored, wrong }: Told): string[] => [
  ...(imported.length > 0 ? [`imported: ${imported.join(', ')}`] : []),
  ...(ignored.length > 0 ? [`of no use on this board: ${ignored.join(', ')}`] : []),
  ...wrong.map(({ why, next }) => `${why}. ${next}`),
];
