/** What an owner's word on the systems and runtimes of boards would mean, before any of it is signed: who when, how many bytes, how long. */
import { type Bytes, hex } from '../../runtime/protocol/bytes.ts';
import { PARTS, type Part } from '../../runtime/protocol/image.ts';
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
  /** For how long a board has to do well with it before the next wave. */
  bakeMs: number;
}

interface Step {
  board: string;
  part: Part;
  /** What it would be given; null: there is nothing whole for it. */
  release: string | null;
  before: string | null;
  /** At most. */
  bytes: number;
  minutes: number;
}

export interface UpdatePlan {
  /** `afterMinutes`: how long after the first wave one begins, if all goes well. */
  waves: { who: string; afterMinutes: number; boards: Step[] }[];
}

export const planOf = async (client: Client, wanted: Wanted): Promise<UpdatePlan> => {
  const { publisher, release, plan, known, kbitPerS, bakeMs } = wanted;
  const images = (await client.ask('releases'))
    .filter((one) => one.image !== null && one.publisher === publisher && one.missing === 0)
    .filter((one) => release === undefined || one.release === hex(release))
    .sort((a, b) => b.sequence - a.sequence);
  const bytesFrom = async (to: string, from: string | null): Promise<number> => {
    const holds = from !== null && images.some((one) => one.release === from);
    return (await client.ask('difference', { path: { release: to }, query: holds ? { from } : {} })).wireBytes;
  };
  const step = async (board: string, part: Part): Promise<Step> => {
    const row = known.find((candidate) => candidate.board === board);
    const next = images.find((one) => one.part === part && one.image === row?.offer?.image?.board)?.release ?? null;
    const before = row?.[part]?.release ?? null;
    const bytes = next === null || next === before ? 0 : await bytesFrom(next, before);
    return { board, part, release: next, before, bytes, minutes: Math.ceil((bytes * 8) / kbitPerS / MINUTE_MS) };
  };
  const waves: UpdatePlan['waves'] = [];
  let afterMinutes = 0;
  for (const { who, boards } of plan) {
    const steps: Step[] = [];
    for (const board of boards) for (const part of PARTS) steps.push(await step(board, part));
    const told = steps.filter(({ part, release: next }) => part === 'system' || next !== null);
    waves.push({ who, afterMinutes, boards: told });
    // One that is given both parts gets them one after the other.
    const longest = Math.max(0, ...boards.map((board) => told.reduce((sum, one) => sum + (one.board === board ? one.minutes : 0), 0)));
    if (told.some(({ bytes }) => bytes > 0)) afterMinutes += longest + Math.ceil(bakeMs / MINUTE_MS);
  }
  return { waves };
};

const stepText = ({ board, part, release, before, bytes, minutes }: Step): string => {
  const who = `  board ${board}${part === 'runtime' ? ', its runtime' : ''}: `;
  if (release === null) return `${who}no whole image of this publisher is for it`;
  if (release === before) return `${who}runs it`;
  return `${who}${(before ?? 'card').slice(0, 12)} to ${release.slice(0, 12)}, at most ${size(bytes)}, ${minutes} min`;
};

export const planText = ({ waves }: UpdatePlan): string =>
  [
    'nothing was signed or sent',
    ...waves.flatMap(({ who, afterMinutes, boards }, at) => {
      const count = new Set(boards.map(({ board }) => board)).size;
      const when = afterMinutes === 0 ? '' : `, ${afterMinutes} min later`;
      return [`wave ${at + 1}, ${who}${when}: ${count === 0 ? 'nobody' : `${count} of them`}`, ...boards.map(stepText)];
    }),
  ].join('\n');
