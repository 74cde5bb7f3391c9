/** What a new release of a request would mean, before anything of it is signed on: who when, how many bytes, how long, at what price. */
import { equal, hex } from '../../runtime/protocol/bytes.ts';
import { refuse } from '../../runtime/protocol/errors.ts';
import type { Request } from '../../runtime/protocol/nouns/request.ts';
import type { Board, Instance, StandingRequest } from './answers.ts';
import type { Client } from './client.ts';
import { takenIn, waveText, windowText } from './waves.ts';
import { showMoney } from './words.ts';

const MINUTE_MS = 60_000;
const HOUR_S = 3600n;
const NANO_DECIMALS = 9;

export interface Forecast {
  release: string;
  before: string | null;
  /** In the order in which they come; `replicas` of a label by the boards that they are on now, `bytes` to each of them at most. */
  waves: { who: string; replicas: number[]; boards: string[]; bytes: number[] }[];
  /** To a board with what runs there now, the most of all, and to one that has nothing. */
  bytesPerBoard: number;
  bytesWithout: number;
  minutes: number;
  windows: string[];
  /** Of all replicas at their limits, by the rates of their present boards; units of the currency. */
  pricePerHour: string;
  currency: string;
}

type Place = { board: string; labels: string[] } | null;

const wavesOf = ({ rollout, replicas }: Request, places: Place[], bytes: number[]): Forecast['waves'] => {
  const labels = Array.from({ length: replicas }, (_, index) => places[index]?.labels ?? []);
  return takenIn(rollout?.waves ?? [], labels).map(({ wave, members }) => ({
    who: waveText(wave),
    replicas: members,
    boards: members.flatMap((index) => places[index]?.board ?? []),
    bytes: members.map((index) => bytes[index] ?? 0),
  }));
};

/** What runs as a replica now: what took the place of a release that did not do, and where a rollout has not come, the one before. */
const presentOf = (standing: StandingRequest, held: Instance | undefined): string | null => {
  if (held === undefined) return null;
  const trial = standing.rollout?.replicas.find(({ index }) => index === held.index)?.trial;
  const leased = trial === 'old' || trial === 'failed' ? (standing.fallback?.release ?? standing.release) : standing.release;
  return held.report?.instead ?? leased;
};

const hourly = ({ rates }: Board, { memoryMib, cpuMillis }: { memoryMib: number; cpuMillis: number }): bigint =>
  rates === null ? 0n : rates.wallHour + rates.memoryMibHour * BigInt(memoryMib) + (rates.cpuSecond * HOUR_S * BigInt(cpuMillis)) / 1000n;

/** `kbitPerS`: of the link of each board. */
export const forecastOf = async (client: Client, request: string, next: Request, kbitPerS: number): Promise<Forecast> => {
  const release = hex(next.release);
  const before = next.fallback === undefined || equal(next.fallback.release, next.release) ? null : hex(next.fallback.release);
  const [boards, instances, releases] = [await client.ask('boards'), await client.ask('instances'), await client.ask('releases')];
  const standing =
    (await client.ask('requests')).find((one) => one.request === request) ??
    refuse('not-found', `request ${request} is not known at ${client.url}`);
  const { limits } =
    releases.find((one) => one.release === release) ?? refuse('not-found', `release ${release} is not known at ${client.url}`);
  const held = Array.from(
    { length: next.replicas },
    (_, index) => instances.filter((one) => one.request === request && one.index === index).sort((a, b) => b.term - a.term)[0],
  );
  const places = held.map((instance): Board | null => boards.find(({ board }) => board === instance?.board) ?? null);
  const whole = (await client.ask('difference', { path: { release } })).wireBytes;
  const known = new Map<string | null, number>([[null, whole]]);
  const bytesFrom = async (from: string | null): Promise<number> => {
    // Of what is not whole here no one here can say what it has in common.
    const has = releases.some((one) => one.release === from && one.missing === 0) ? from : null;
    const bytes = known.get(has) ?? (await client.ask('difference', { path: { release }, query: { from: has ?? '' } })).wireBytes;
    known.set(has, bytes);
    return bytes;
  };
  const bytes: number[] = [];
  for (const instance of held) bytes.push(await bytesFrom(presentOf(standing, instance)));
  const waves = wavesOf(next, places, bytes);
  const minutesOf = (most: number): number => Math.ceil(((most * 8) / kbitPerS + (next.fallback?.bakeMs ?? 0)) / MINUTE_MS);
  const price = places.reduce((total, board) => total + (board === null ? 0n : hourly(board, limits)), 0n);
  return {
    ...{ release, before, waves, bytesPerBoard: Math.max(...bytes), bytesWithout: whole },
    minutes: waves.filter((wave) => wave.bytes.length > 0).reduce((total, wave) => total + minutesOf(Math.max(...wave.bytes)), 0),
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
    ...told.waves.map(({ who, replicas, boards, bytes }, at) => {
      const where = boards.length === 0 ? '' : ` on ${boards.map((board) => board.slice(0, 8)).join(', ')}`;
      const most = `, to each at most ${size(Math.max(...bytes))}`;
      return `  wave ${at + 1}, ${who}: ${replicas.length === 0 ? 'nobody' : `replica ${replicas.join(', ')}${where}${most}`}`;
    }),
    `  ${size(told.bytesWithout)} to a board that has nothing of it`,
    `  about ${told.minutes} min at ${kbitPerS} kbit/s if all goes well${told.windows.length === 0 ? '' : `, and what it waits for ${told.windows.join(', ')}`}`,
    `  at its limits ${told.pricePerHour} ${told.currency} an hour for all replicas; the update itself costs nothing`,
  ].join('\n');
