/** What a new release of a request would mean, before anything of it is signed on: who when, how many bytes, how long, at what price. */
import { equal, hex } from '../../runtime/protocol/bytes.ts';
import { refuse } from '../../runtime/protocol/errors.ts';
import type { Request } from '../../runtime/protocol/nouns/request.ts';
import type { Board } from './answers.ts';
import type { Client } from './client.ts';
import { takenIn, waveText, windowText } from './waves.ts';
import { showMoney } from './words.ts';

const MINUTE_MS = 60_000;
const HOUR_S = 3600n;
const NANO_DECIMALS = 9;

export interface Forecast {
  release: string;
  before: string | null;
  /** In the order in which they come; `replicas` of a label by the boards that they are on now. */
  waves: { who: string; replicas: number[]; boards: string[] }[];
  /** Of a board that has the release before, and of one that has nothing: at most. */
  bytesPerBoard: number;
  bytesWithout: number;
  minutes: number;
  windows: string[];
  /** Of all replicas at their limits, by the rates of their present boards; units of the currency. */
  pricePerHour: string;
  currency: string;
}

type Place = { board: string; labels: string[] } | null;

const wavesOf = ({ rollout, replicas }: Request, places: Place[]): Forecast['waves'] => {
  const labels = Array.from({ length: replicas }, (_, index) => places[index]?.labels ?? []);
  return takenIn(rollout?.waves ?? [], labels).map(({ wave, members }) => ({
    who: waveText(wave),
    replicas: members,
    boards: members.flatMap((index) => places[index]?.board ?? []),
  }));
};

const hourly = ({ rates }: Board, { memoryMib, cpuMillis }: { memoryMib: number; cpuMillis: number }): bigint =>
  rates === null ? 0n : rates.wallHour + rates.memoryMibHour * BigInt(memoryMib) + (rates.cpuSecond * HOUR_S * BigInt(cpuMillis)) / 1000n;

/** `kbitPerS`: of the link of each board. */
export const forecastOf = async (client: Client, request: string, next: Request, kbitPerS: number): Promise<Forecast> => {
  const release = hex(next.release);
  const before = next.fallback === undefined || equal(next.fallback.release, next.release) ? null : hex(next.fallback.release);
  const [boards, instances, releases] = [await client.ask('boards'), await client.ask('instances'), await client.ask('releases')];
  const { limits } =
    releases.find((one) => one.release === release) ?? refuse('not-found', `release ${release} is not known at ${client.url}`);
  const boardOf = (index: number): Board | undefined => {
    const held = instances.filter((one) => one.request === request && one.index === index).sort((a, b) => b.term - a.term)[0];
    return boards.find(({ board }) => board === held?.board);
  };
  const held = Array.from({ length: next.replicas }, (_, index) => boardOf(index));
  const waves = wavesOf(
    next,
    held.map((board) => (board === undefined ? null : board)),
  );
  const path = { release };
  const less = await client.ask('difference', { path, query: before === null ? {} : { from: before } });
  const whole = before === null ? less : await client.ask('difference', { path });
  const transferMs = (less.wireBytes * 8) / kbitPerS;
  const each = Math.ceil((transferMs + (next.fallback?.bakeMs ?? 0)) / MINUTE_MS);
  const price = held.reduce((total, board) => total + (board === undefined ? 0n : hourly(board, limits)), 0n);
  return {
    ...{ release, before, waves, bytesPerBoard: less.wireBytes, bytesWithout: whole.wireBytes },
    minutes: each * waves.filter(({ replicas }) => replicas.length > 0).length,
    windows: (next.windows ?? []).map(windowText),
    ...{ pricePerHour: showMoney(price, NANO_DECIMALS), currency: next.currency },
  };
};

const KIB = 1024;
export const size = (bytes: number): string =>
  bytes < KIB * KIB ? `${Math.ceil(bytes / KIB)} KiB` : `${(bytes / KIB / KIB).toFixed(1)} MiB`;

export const forecastText = (name: string, told: Forecast, kbitPerS: number): string =>
  [
    `${name}: release ${told.release.slice(0, 12)}${told.before === null ? '' : ` after ${told.before.slice(0, 12)}`}; nothing was sent`,
    ...told.waves.map(({ who, replicas, boards }, at) => {
      const where = boards.length === 0 ? '' : ` on ${boards.map((board) => board.slice(0, 8)).join(', ')}`;
      return `  wave ${at + 1}, ${who}: ${replicas.length === 0 ? 'nobody' : `replica ${replicas.join(', ')}${where}`}`;
    }),
    `  to each board at most ${size(told.bytesPerBoard)}; ${size(told.bytesWithout)} to one that has nothing of it`,
    `  about ${told.minutes} min at ${kbitPerS} kbit/s if all goes well${told.windows.length === 0 ? '' : `, and what it waits for ${told.windows.join(', ')}`}`,
    `  at its limits ${told.pricePerHour} ${told.currency} an hour for all replicas; the update itself costs nothing`,
  ].join('\n');
