/** `lichen board update`: an owner's standing word on the system of boards, and what these say came of it. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { type Bytes, fromHex, hex } from '../../runtime/protocol/bytes.ts';
import { refuse } from '../../runtime/protocol/errors.ts';
import { type BoardId, fingerprint, idFrom, type OwnerId } from '../../runtime/protocol/ids.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { seal } from '../../runtime/protocol/noun.ts';
import { type Upkeep, upkeepNoun, upkeepRollout } from '../../runtime/protocol/nouns/upkeep.ts';
import { boardId, publisherId } from '../../runtime/protocol/schema.ts';
import type { Board } from './answers.ts';
import { type ApiFlags, openClient } from './client.ts';
import { writeDocument } from './documents.ts';
import { withoutEmpty } from './empty-waves.ts';
import { readKey } from './keys.ts';
import { brief, emit, type JsonFlag } from './output.ts';
import { type Planned, planOf, planText } from './update-plan.ts';
import { addApi, addVerb } from './verbs.ts';
import { rolloutOf, takenIn, waveText, windowsOf } from './waves.ts';
import { duration, misused, wholeNumber, word } from './words.ts';

interface UpdateFlags extends ApiFlags, JsonFlag {
  board?: string[];
  all?: boolean;
  ownerKey: string;
  publisher?: string;
  release?: string;
  end?: boolean;
  wave?: string[];
  skipEmpty?: boolean;
  tolerate: string;
  bake: string;
  window?: string[];
  dryRun?: boolean;
  link: string;
  version?: string;
  out?: string;
}

const HASH = /^[0-9a-f]{64}$/;

/** One line for people: what runs, and what became of the newest update. */
export const systemText = ({ system, runtime }: Pick<Board, 'system' | 'runtime'>): string =>
  system === null
    ? '-'
    : [partText(system, ''), runtime === null ? '' : partText(runtime, 'runtime ')].filter((text) => text !== '').join('; ');

/** Of the newest one that goes from wave to wave, while this board has still to be given it, or is not to be. */
const fleetText = (fleet: NonNullable<Board['system']>['fleet']): string => {
  if (fleet === null || fleet.trial === 'passed' || fleet.state === 'done') return '';
  const { release, state, wave, open, of, why } = fleet;
  return `, ${brief(release)} ${state === 'halted' ? 'halted' : `in wave ${open} of ${of}, this board is in ${wave}`}${why === '' ? '' : `: ${why}`}`;
};

const partText = ({ slot, release, update, fleet }: NonNullable<Board['system']>, what: string): string => {
  const isPlain = update === null || (update.phase === 'kept' && update.release === release);
  const waits = fleetText(fleet);
  // The runtime that came with the system is no news.
  if (what !== '' && isPlain && release === null && waits === '') return '';
  const runs = `${what}${slot}:${release === null ? 'card' : brief(release)}`;
  const said = isPlain ? runs : `${runs}, ${brief(update.release)} ${update.phase}${update.detail === '' ? '' : ` (${update.detail})`}`;
  return said + waits;
};

const namedIn = ({ board = [], all = false }: UpdateFlags): BoardId[] => {
  if ((board.length === 0) !== all) misused('either --board ID, one or several, or --all is needed');
  const named = board.map((one) => word(boardId, one, '--board'));
  return new Set(named).size === named.length ? named : misused('--board: one of them is named twice');
};

/** In the order in which waves take them in. */
const boardsOf = (flags: UpdateFlags, owner: string, known: Board[]): BoardId[] => {
  const named = namedIn(flags);
  const all = known.filter((row) => row.owner === owner && row.offer?.image !== undefined).map(({ board }) => idFrom<BoardId>(board));
  if (flags.all === true && all.length === 0) refuse('not-found', `no board of owner ${owner} was started from an image`);
  return flags.all === true ? all.sort() : named;
};

const wishOf = ({ publisher, release, wave, end = false }: UpdateFlags): Pick<Upkeep, 'publisher' | 'release'> => {
  if ((publisher === undefined) !== end) misused('either --publisher ID, whose images the boards are given, or --end is needed');
  if (release !== undefined && (end || !HASH.test(release))) misused('--release is the hash of an image release, 64 digits of hex');
  if (wave !== undefined && end) misused('--wave goes with --publisher');
  return {
    publisher:
      publisher === undefined
        ? null
        : word(publisherId, publisher, '--publisher', '`lichen publisher id --root FILE...` prints it; so does `lichen release list`.'),
    ...(release !== undefined && { release: fromHex(release) }),
  };
};

/** Waves in their order, and whom each takes in; without --wave all at once. */
const wavesOf = (flags: UpdateFlags, named: BoardId[], known: Board[]): Planned[] => {
  const rollout = rolloutOf(flags.wave, flags.tolerate);
  if (rollout === undefined) return [{ who: 'at once', boards: named }];
  const labels = named.map((board) => known.find((row) => row.board === board)?.labels ?? []);
  // A plan that is only shown shows that as well.
  const { waves } = flags.dryRun === true ? rollout : withoutEmpty(rollout, labels, 'boards', flags.skipEmpty === true);
  return takenIn(waves, labels).map(({ wave, members }) => ({
    who: waveText(wave),
    boards: members.flatMap((at) => named[at] ?? []),
  }));
};

const fileOf = (out: string | undefined, board: string, of: number): string | null => {
  if (out === undefined || of === 1) return out ?? null;
  mkdirSync(out, { recursive: true });
  return join(out, `${board}.cose`);
};

const update = async (flags: UpdateFlags): Promise<void> => {
  const wish = wishOf(flags);
  namedIn(flags);
  const key = readKey(flags.ownerKey).signer;
  const owner = fingerprint<OwnerId>(nodeCrypto, key.publicKey);
  const isAlone = flags.version !== undefined && flags.all !== true && flags.wave === undefined && flags.dryRun !== true;
  const known = isAlone ? [] : await openClient(flags).ask('boards');
  const named = boardsOf(flags, owner, known);
  const plan = wavesOf(flags, named, known);
  if (flags.dryRun === true) {
    const pace = { kbitPerS: wholeNumber(flags.link, '--link', 1), bakeMs: duration(flags.bake, '--bake') };
    const told = await planOf(openClient(flags), { ...wish, ...pace, plan, known });
    const { publisher, release } = wish;
    return emit(flags, { owner, publisher, release: hexOr(release), boards: [], plan: told }, () => planText(told));
  }
  const pace = { tolerated: wholeNumber(flags.tolerate, '--tolerate', 0, LIMITS.replicas), bakeMs: duration(flags.bake, '--bake') };
  const windows = windowsOf(flags.window);
  const times = windows === undefined ? {} : { windows };
  const made: { board: string; version: number; wave: number | null; file: string | null }[] = [];
  // The last wave first: should only some of it be pushed, nobody is given anything before his turn.
  for (const [at, { boards }] of [...plan.entries()].reverse())
    for (const board of boards) {
      const before = known.find((row) => row.board === board)?.upkeep ?? null;
      const version = flags.version === undefined ? (before?.version ?? 0) + 1 : versionOf(flags);
      const wave = flags.wave === undefined ? null : at + 1;
      const rollout = wave === null ? {} : { rollout: word(upkeepRollout, { wave, ...pace }, '--bake') };
      // Another verb says that, and a document is all of the word.
      const shares = before?.neighbours === undefined ? {} : { neighbours: before.neighbours };
      const doc: Upkeep = { v: 1, board: idFrom<BoardId>(board), owner, version, ...wish, ...rollout, ...times, ...shares };
      const document = seal(upkeepNoun, doc, key);
      const file = fileOf(flags.out, board, named.length);
      if (file === null) await openClient(flags).ask('push', { body: document });
      else writeDocument(file, document, false);
      made.unshift({ board, version, wave, file });
    }
  const { publisher, release } = wish;
  const follows =
    publisher === null ? 'keeps its system as it is' : `follows ${release === undefined ? `publisher ${publisher}` : hex(release)}`;
  emit(flags, { owner, publisher, release: hexOr(release), boards: made, plan: null }, () =>
    made
      .map(({ board, version, wave, file }) =>
        [
          `board ${board} ${follows}, `,
          wave === null ? '' : `wave ${wave}, `,
          `version ${version}`,
          file === null ? '' : `: push ${file}`,
        ].join(''),
      )
      .join('\n'),
  );
};

const versionOf = ({ version = '' }: UpdateFlags): number => wholeNumber(version, '--version', 1);
const hexOr = (release: Bytes | undefined): string | null => (release === undefined ? null : hex(release));

export const registerUpdate = (noun: Command): void => {
  addApi(
    addVerb(noun, {
      usage: 'update',
      says: 'sign whose images boards are given as their system, and in which order, and push it; `board list` says what came of it',
      examples: [
        'board update --board ID --owner-key owner.key --publisher ID',
        'board update --board ID --owner-key owner.key --publisher ID --release HEX',
        'board update --all --owner-key owner.key --publisher ID --wave 1 25% --bake 1h --dry-run',
        'board update --board ID --owner-key owner.key --end',
      ],
      gives: { keys: ['owner', 'publisher', 'release', 'boards', 'plan'] },
    }),
  )
    .option('--board <id...>', 'which boards; of several the first is the first in waves')
    .option('--all', 'all boards of this owner that were started from an image')
    .requiredOption('--owner-key <file>', "the owner's key file")
    .option('--publisher <id>', 'whose images; the newest for this kind of board, from now on')
    .option('--release <hex>', 'this one and no other; the same again has one that failed tried again')
    .option('--end', 'their system stays as it is')
    .option('--wave <who...>', 'whom each new image reaches first, one wave after the other: 1, 25% or label=NAME; then all others')
    .option('--skip-empty', 'with --wave: leave out waves that take in nobody, instead of refusing them')
    .option('--tolerate <number>', 'with --wave: on how many boards it may fail before it reaches no more', '0')
    .option('--bake <duration>', 'with --wave: for how long a board has to do well with it before the next wave', '10m')
    .option('--window <time...>', 'when what was fetched may take the place of what runs, e.g. 01:00-04:30 (UTC)')
    .option('--dry-run', 'show waves, bytes for each board and minutes; sign and send nothing')
    .option('--link <kbit>', 'with --dry-run: how fast the link of a board is, kbit/s', '1000')
    .option('--version <number>', 'rises with every such word on a board; by default the next one')
    .option('--out <path>', 'write the signed document instead of pushing it; of several boards, into a folder')
    .action(update);
};
