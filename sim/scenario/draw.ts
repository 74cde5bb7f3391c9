/**
 * Everything that befalls the fleet in one run: what the timeline says and what the seed draws from the mix. Each row of
 * the mix has a stream of its own on each of its targets, named by what the row says and not by where it stands, so that
 * a row more or less leaves all others as they were.
 */
import { type Chance, chanceFrom } from '../world/chance.ts';
import type { Incident, MixSpec, Scenario } from './scenario.ts';

/** What a row is, without whom it is about: two rows that say the same are told apart by their number. */
const keyOf = ({ kind, everyMs, forMs, with: extra, fromMs, untilMs }: MixSpec): string =>
  JSON.stringify([kind, everyMs, forMs, Object.entries(extra).sort(), fromMs, untilMs]);

/** Exponential, so that a fault says nothing about when the next one comes. V8 computes the logarithm in software (fdlibm): the same everywhere. */
const gapMs = (chance: Chance, everyMs: number): number => Math.max(1, Math.round(-Math.log(1 - chance.unit()) * everyMs));

const drawRow = (mix: MixSpec, on: string, chance: Chance): Incident[] => {
  const { kind, everyMs, forMs, with: extra, fromMs, untilMs } = mix;
  const out: Incident[] = [];
  for (let atMs = fromMs + gapMs(chance, everyMs); atMs < untilMs; atMs += gapMs(chance, everyMs)) {
    out.push({ atMs, kind, on, forMs: forMs === null ? null : chance.between(forMs.least, forMs.most), with: extra });
  }
  return out;
};

/**
 * Of a swarm each seed draws only some rows: what one fault hides (a dead gateway all that would have befallen it) is seen
 * by the seeds that leave it out, and fewer kinds meet each other more often (Groce, Zhang, Eide, Chen, Regehr: "Swarm
 * Testing", ISSTA 2012).
 */
const LEFT_OUT_PERMILLE = 500;

/** Sorted by time; of those at the same moment first the timeline's, then the mix's, as they stand in the file. */
export const drawIncidents = (scenario: Pick<Scenario, 'incidents' | 'mix' | 'swarm'>, seed: number, chance: Chance): Incident[] => {
  const stream = chance.fork(`incidents/${seed}`);
  const seen = new Map<string, number>();
  const drawn = scenario.mix.flatMap((mix) => {
    const key = keyOf(mix);
    const alike = seen.get(key) ?? 0;
    seen.set(key, alike + 1);
    const row = stream.fork(`${key}#${alike}`);
    if (scenario.swarm && row.fork('swarm').bool(LEFT_OUT_PERMILLE)) return [];
    return mix.on.flatMap((on) => drawRow(mix, on, row.fork(on)));
  });
  return [...scenario.incidents, ...drawn].sort((a, b) => a.atMs - b.atMs);
};

/** All that befalls the fleet in the run of a seed. */
export const incidentsWith = (scenario: Scenario, seed: number): Incident[] =>
  drawIncidents(scenario, seed, runChance(scenario, seed).fork('incidents'));

/** Everything that is drawn in a run comes from this. */
export const runChance = ({ name }: Scenario, seed: number): Chance => chanceFrom(`${name}/${seed}`);
