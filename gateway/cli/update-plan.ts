/** What an owner's word on the systems of boards would mean, before any of it is signed: who when, how many bytes, how long. */
import { type Bytes, hex } from '../../runtime/protocol/bytes.ts';
import type { Board } from './answers.ts';
import type { Client } from './client.ts';
import { size } from './forecast.ts';

const MINUTE_MS = 60_000;

export interface Planned {
  who: string;
  boards: string[];
}

interface Wanted {
  publisher: string | null;
  release?: Bytes | undefined;
  plan: Planned[];
  known: Board[];
  kbitPerS: number;
}

/** Per board: the system that it would be given, in whose place, and at most how many bytes of it. */
export interface UpdatePlan {
  waves: (Omit<Planned, 'boards'> & {
    boards: { board: string; release: string | null; before: string | null; bytes: number; minutes: number }[];
  })[];
}

export const planOf = async (client: Client, { publisher, release, plan, known, kbitPerS }: Wanted): Promise<UpdatePlan> => {
  const images = (await client.ask('releases'))
    .filter((one) => one.image !== null && one.publisher === publisher && one.missing === 0 && one.part === 'system')
    .filter((one) => release === undefined || one.release === hex(release))
    .sort((a, b) => b.sequence - a.sequence);
  const bytesFrom = async (to: string, from: string | null): Promise<number> => {
    const holds = from !== null && images.some((one) => one.release === from);
    return (await client.ask('difference', { path: { release: to }, query: holds ? { from } : {} })).wireBytes;
  };
  const one = async (board: string) => {
    const row = known.find((candidate) => candidate.board === board);
    const next = images.find(({ image }) => image === row?.offer?.image?.board)?.release ?? null;
    const before = row?.system?.release ?? null;
    const bytes = next === null || next === before ? 0 : await bytesFrom(next, before);
    return { board, release: next, before, bytes, minutes: Math.ceil((bytes * 8) / kbitPerS / MINUTE_MS) };
  };
  const waves: UpdatePlan['waves'] = [];
  for (const { who, boards } of plan) {
    const told = [];
    for (const board of boards) told.push(await one(board));
    waves.push({ who, boards: told });
  }
  return { waves };
};

export const planText = ({ waves }: UpdatePlan): string =>
  [
    'nothing was signed or sent',
    ...waves.flatMap(({ who, boards }, at) => [
      `wave ${at + 1}, ${who}: ${boards.length === 0 ? 'nobody' : `${boards.length} of them`}`,
      ...boards.map(({ board, release, before, bytes, minutes }) =>
        release === null || release === before
          ? `  board ${board}: ${release === null ? 'no whole image of this publisher is for it' : 'runs it'}`
          : `  board ${board}: ${(before ?? 'card').slice(0, 12)} to ${release.slice(0, 12)}, at most ${size(bytes)}, ${minutes} min`,
      ),
    ]),
  ].join('\n');
