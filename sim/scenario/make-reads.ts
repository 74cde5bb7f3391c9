/** What a workload reads of sensors, and what its program or its recipe's promises take for a fair reading. */
import type { PromiseSpec } from '../../runtime/protocol/nouns/release.ts';
import type { ReadRow } from './fleet-file.ts';
import { type Desk, unknownWord } from './problem.ts';
import type { BoardSpec, ReadSpec, SensorSpec } from './scenario.ts';
import type { Placed } from './shape.ts';

/**
 * Of whose number promises of a recipe are: `first`: what a program says or writes, which is what its first sensor tells;
 * `any`: what the kernel shows in a file of whichever sensor has one of that name.
 */
export type Measured = 'nothing' | 'first' | 'any';

export const measuredBy = (promises: Pick<PromiseSpec, 'probe'>[]): Measured => {
  const probes = promises.map(({ probe }) => probe);
  if (probes.some((probe) => probe.kind === 'value' && probe.path.startsWith('/sys/'))) return 'any';
  return probes.some(({ kind }) => kind === 'value' || kind === 'reading') ? 'first' : 'nothing';
};

/** So long the same, and yet nothing wrong with it. */
const staysFor = ({ bus, source, noise }: SensorSpec): string | null => {
  if (bus === 'gpio') return 'a gpio line is 0 or 1, and may well stay what it is';
  return source.kind === 'constant' && noise === 0 ? 'it is constant and has no noise' : null;
};

const checkSame = (desk: Desk, same: Placed<number>, sensors: SensorSpec[]): void => {
  const why = sensors.map(staysFor).find((one) => one !== null);
  if (why === undefined || !same.sound) return;
  desk.report(same.at, { what: '"same" of what is always the same', why, next: 'Leave it out.' });
};

/** Of each row, the sensor looked up on all boards. */
export const readsOf = ({ desk, boards }: { desk: Desk; boards: BoardSpec[] }, rows: ReadRow[], measured: Measured): ReadSpec[] => {
  const all = boards.flatMap(({ sensors }) => sensors);
  const names = [...new Set(all.map(({ name }) => name))];
  return rows.map((row, index) => {
    const name = 'short' in row ? row.short : row.map.sensor;
    const { least, most, same } = 'short' in row ? { least: null, most: null, same: null } : row.map;
    if (name.sound && !names.includes(name.value)) desk.report(name.at, unknownWord('sensor', name.value, names));
    if (least !== null && most !== null && least > most)
      desk.report(name.at, { what: '"least" is more than "most"', next: 'Exchange them.' });
    if (same !== null)
      checkSame(
        desk,
        same,
        all.filter((sensor) => sensor.name === name.value),
      );
    const promised = measured === 'any' || (measured === 'first' && index === 0);
    return { sensor: name.value, least, most, sameMs: same?.value ?? null, promised };
  });
};
