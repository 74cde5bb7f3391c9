/**
 * `lichen.json`, what a person writes beside an image: read once at the first start, kept with the board's own data, and
 * taken off the card, as whoever holds a card could read it.
 */
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { parseClaim } from '../protocol/claim.ts';
import { asLichenError, LichenError, refuse } from '../protocol/errors.ts';
import { LIMITS } from '../protocol/limits.ts';
import { map, parse } from '../protocol/schema.ts';

/** Each may be left out; what is not known here is refused, so that a misspelt word is not silently without effect. */
const setup = v.pipe(
  map,
  v.strictObject({
    claim: v.optional(v.string()),
    /** One label of a name (RFC 1123). */
    hostname: v.optional(v.pipe(v.string(), v.regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'lower case letters, digits and hyphens'))),
    /** As the runtime's words of the same names. */
    capacity: v.optional(v.string()),
    grants: v.optional(v.string()),
    proxy: v.optional(v.string()),
  }),
);
export type Setup = v.InferOutput<typeof setup>;

const keptIn = (data: string): string => join(data, 'setup.json');

/** On the disk before it is relied on. */
const writeWhole = (path: string, text: string): void => {
  const next = `${path}.next`;
  const fd = openSync(next, 'w', 0o600);
  writeSync(fd, text);
  fsyncSync(fd);
  closeSync(fd);
  renameSync(next, path);
};

/** A card keeps what was deleted: the bytes are written over first, for what that is worth on flash. */
const wipe = (path: string): void => {
  const fd = openSync(path, 'r+');
  writeSync(fd, ' '.repeat(statSync(path).size), 0);
  fsyncSync(fd);
  closeSync(fd);
  rmSync(path);
};

const setupIn = (text: string): Setup => {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (thrown) {
    return refuse(
      'bad-schema',
      `lichen.json is not JSON (${thrown instanceof Error ? thrown.message : String(thrown)}); it may be half written`,
    );
  }
  if (Array.isArray(value)) refuse('bad-schema', 'lichen.json is a list, not an object in braces');
  return parse(setup, value, 'lichen.json');
};

/** What it says, kept in `data`; the file is gone then. One that is wrong stays as it is. Error: `bad-schema`. */
export const importSetup = (path: string, data: string): Setup => {
  if (!existsSync(path)) refuse('not-found', path);
  if (statSync(path).size > LIMITS.documentBytes) refuse('too-large', `lichen.json is longer than ${LIMITS.documentBytes} bytes`);
  const found = setupIn(readFileSync(path, 'utf8').replace(/^\ufeff/, ''));
  if (found.claim !== undefined) {
    try {
      parseClaim(found.claim);
    } catch (thrown) {
      throw new LichenError(
        'bad-schema',
        `lichen.json: "claim" is not the line that "lichen board claim" prints (${asLichenError(thrown).detail})`,
      );
    }
  }
  mkdirSync(data, { recursive: true, mode: 0o711 });
  writeWhole(keptIn(data), JSON.stringify(found));
  // For what starts before the runtime does.
  if (found.hostname !== undefined) writeWhole(join(data, 'hostname'), `${found.hostname}\n`);
  wipe(path);
  return found;
};

/** What was imported, if anything was. */
export const readSetup = (data: string): Setup => {
  const path = keptIn(data);
  return existsSync(path) ? parse(setup, JSON.parse(readFileSync(path, 'utf8')), 'setup.json') : {};
};

/** A claim is good once. */
export const forgetClaim = (data: string): void => {
  const { claim, ...rest } = readSetup(data);
  if (claim !== undefined) writeWhole(keptIn(data), JSON.stringify(rest));
};
