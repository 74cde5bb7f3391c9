/** What the person who wrote the card said of this board: taken off the card by firmware-images/setup, and kept with the board's own data. */
import { existsSync, mkdirSync, readFileSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { parseClaim } from '../protocol/claim.ts';
import { asLichenError, LichenError } from '../protocol/errors.ts';
import { LIMITS } from '../protocol/limits.ts';
import { map, parse } from '../protocol/schema.ts';
import { writeDurably } from './disk.ts';

const isClaim = (line: string): boolean => {
  try {
    return parseClaim(line) !== null;
  } catch (thrown) {
    const { detail } = asLichenError(thrown);
    throw new LichenError('bad-schema', `"claim" is not the line that "lichen board claim" prints (${detail})`);
  }
};

/** One label of a name (RFC 1123). */
export const hostname = v.pipe(v.string(), v.regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'lower case letters, digits and hyphens'));

/** HOST:PORT. */
const address = v.pipe(v.string(), v.maxLength(LIMITS.pathBytes), v.regex(/^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):\d{1,5}$/, 'HOST:PORT'));

/** Each may be left out. */
export const setupKeys = {
  claim: v.optional(v.pipe(v.string(), v.check(isClaim))),
  hostname: v.optional(hostname),
  /** Where else the gateway of the claim may be reached from here: by its key it is known at any address. */
  gateways: v.optional(v.pipe(v.array(address), v.maxLength(LIMITS.setupGateways))),
  /** As the runtime's words of the same names. */
  capacity: v.optional(v.string()),
  grants: v.optional(v.string()),
  proxy: v.optional(v.string()),
};
const setup = v.pipe(map, v.strictObject(setupKeys));
export type Setup = v.InferOutput<typeof setup>;

const keptIn = (data: string): string => join(data, 'setup.json');

/** What was said, if anything was. A file that a card has spoilt is put aside: without it a board runs, and is given it again. */
export const readSetup = (data: string, say: (line: string) => void = () => undefined): Setup => {
  const path = keptIn(data);
  if (!existsSync(path)) return {};
  try {
    return parse(setup, JSON.parse(readFileSync(path, 'utf8')), 'setup.json');
  } catch {
    renameSync(path, `${path}.spoilt`);
    say('what was kept of the setup cannot be read and was put aside: give the board its lichen.json again');
    return {};
  }
};

/** What is not said anew stays as it was said before. */
export const keepSetup = (data: string, said: Setup): void => {
  mkdirSync(data, { recursive: true, mode: 0o711 });
  const kept = { ...readSetup(data), ...said };
  writeDurably(keptIn(data), JSON.stringify(kept));
  // For what starts before the runtime does.
  if (said.hostname !== undefined) writeDurably(join(data, 'hostname'), `${said.hostname}\n`);
};

/** A claim is good once. */
export const forgetClaim = (data: string): void => {
  const { claim, ...rest } = readSetup(data);
  if (claim !== undefined) writeDurably(keptIn(data), JSON.stringify(rest));
};

/** What became of the files on the card at this start, for whoever looks at the board. */
const told = v.strictObject({
  /** Names of what was taken over. */
  imported: v.array(v.string()),
  /** What a board of this kind has no use for. */
  ignored: v.array(v.string()),
  /** A file that was left as it is, with the reason. */
  wrong: v.array(v.strictObject({ file: v.string(), why: v.string(), next: v.string() })),
});
export type Told = v.InferOutput<typeof told>;

/** Nothing where nothing was found on the card. */
export const readTold = (path: string): Told => {
  if (!existsSync(path) || statSync(path).size > LIMITS.setupBytes) return { imported: [], ignored: [], wrong: [] };
  return parse(told, JSON.parse(readFileSync(path, 'utf8')), path);
};
