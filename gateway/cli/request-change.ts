/** The next sequence of a request, signed and pushed; or, of a new release, what it would come to. */
import type { Command } from 'commander';
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { fingerprint, type TenantId } from '../../runtime/protocol/ids.ts';
import { requestSchema } from '../../runtime/protocol/nouns/request.ts';
import { openClient } from './client.ts';
import { seenThrough } from './empty-waves.ts';
import { forecastOf, forecastText } from './forecast.ts';
import { readKey } from './keys.ts';
import { emit, type JsonFlag } from './output.ts';
import { type PushFlags, tellAlone, withPusher } from './push.ts';
import { type Change, nextOf } from './request-make.ts';
import { addPush, addVerb } from './verbs.ts';
import { rolloutOf, windowsOf } from './waves.ts';
import { hexBytes, misused, pairs, wholeNumber, word } from './words.ts';

const keyFileOf = ({ tenantKey }: PushFlags): string =>
  tenantKey ?? misused('--tenant-key FILE is needed: the tenant signs what becomes of its request');

/** The tenant's next word on its request: signed, pushed, told. */
export const change = async (name: string, by: Change, flags: PushFlags & JsonFlag, more: object = {}): Promise<void> => {
  const { document, request, sequence, state } = await nextOf(name, by, keyFileOf(flags), openClient(flags));
  await withPusher(flags, (pusher) => pusher.push(document));
  await tellAlone(flags, [request]);
  emit(flags, { request, name, sequence, state, ...more }, () => `${name} is to be ${state} (sequence ${sequence})`);
};

interface SetFlags extends PushFlags, JsonFlag {
  wave?: string[];
  skipEmpty?: boolean;
  tolerate: string;
  window?: string[];
  anyTime?: boolean;
  dryRun?: boolean;
  link: string;
  param?: string[];
  release?: string;
  bake: string;
  /** False with `--no-fallback`. */
  fallback: boolean;
}

const changeOf = ({ param, release, bake, fallback, wave, tolerate, window, anyTime }: SetFlags): Change => {
  if (param === undefined && release === undefined && window === undefined && anyTime !== true)
    misused('--param KEY=VALUE, --release HEX or --window TIME is needed: what is to be another');
  if (window !== undefined && anyTime === true) misused('either --window TIME or --any-time');
  if (wave !== undefined && (release === undefined || !fallback)) misused('--wave goes with --release and without --no-fallback');
  const rollout = rolloutOf(wave, tolerate);
  const windows = anyTime === true ? null : windowsOf(window);
  return {
    parameters: word(requestSchema.entries.parameters, pairs(param ?? [], '--param'), '--param'),
    ...(windows !== undefined && { windows }),
    ...(release !== undefined && {
      update: { release: hexBytes(release, '--release'), bake: fallback ? bake : null, ...(rollout !== undefined && { rollout }) },
    }),
  };
};

/** What it would come to, with nothing signed that leaves this machine. */
const dryRun = async (name: string, by: Change, flags: SetFlags): Promise<void> => {
  const client = openClient(flags);
  const kbitPerS = wholeNumber(flags.link, '--link', 1);
  const { doc, request } = await nextOf(name, by, keyFileOf(flags), client);
  const told = await forecastOf(client, request, doc, kbitPerS);
  emit(flags, { request, name, sequence: doc.sequence, state: doc.state, forecast: told }, () => forecastText(name, told, kbitPerS));
};

/** With no wave to which nobody belongs. */
const withSeenWaves = async (name: string, by: Change, flags: SetFlags): Promise<Change> => {
  const { update } = by;
  if (update?.rollout === undefined) return by;
  const tenant = fingerprint<TenantId>(nodeCrypto, readKey(keyFileOf(flags)).signer.publicKey);
  const rollout = await seenThrough(update.rollout, openClient(flags), tenant, name, flags.skipEmpty === true);
  return { ...by, update: { ...update, rollout } };
};

const set = async (name: string, flags: SetFlags): Promise<void> =>
  flags.dryRun === true
    ? dryRun(name, changeOf(flags), flags)
    : change(name, await withSeenWaves(name, changeOf(flags), flags), flags, { forecast: null });

export const addSet = (noun: Command): void => {
  addPush(
    addVerb(noun, {
      usage: 'set <name>',
      says: 'change parameters or the release; where a new release does not hold its promises, the present one takes its place again',
      examples: [
        'request set museum --param greeting=moin --tenant-key tenant.key',
        'request set museum --release HEX --bake 5m --tenant-key tenant.key',
        'request set museum --release HEX --bake 10m --wave 1 25% label=attic --dry-run --tenant-key tenant.key',
      ],
      gives: { keys: ['request', 'name', 'sequence', 'state', 'forecast'] },
    }),
  )
    .option('--param <key=value...>', 'a parameter that the release declares; the others stay')
    .option('--release <hex>', 'another release from now on')
    .option('--bake <duration>', 'with --release: for how long its promises have to hold', '1m')
    .option('--wave <who...>', 'with --release: whom it reaches first, one wave after the other: 1, 25% or label=NAME; then all others')
    .option('--skip-empty', 'with --wave: leave out waves that take in nobody, instead of refusing them')
    .option('--tolerate <number>', 'with --wave: how many may fall back before all do', '0')
    .option('--window <time...>', 'when instances may be taken from one release to another, e.g. 01:00-04:30 (UTC)')
    .option('--any-time', 'at any time from now on')
    .option('--dry-run', 'show waves, bytes for each board, minutes and price; sign and send nothing')
    .option('--link <kbit>', 'with --dry-run: how fast the link of a board is, kbit/s', '1000')
    .option('--no-fallback', 'with --release: go on with it, whatever becomes of it')
    .action(set);
};
