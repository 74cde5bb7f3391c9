/** What is asked of a run, looked at before anything is run. */
import { refuse } from '../runtime/protocol/errors.ts';
import { incidentsWith } from './scenario/draw.ts';
import type { SweepPlan } from './sweep.ts';

/** A fault by a number that none has, with any of the seeds. */
export const refuseUnknown = ({ only, scenario, firstSeed, seeds }: SweepPlan): void => {
  const highest = Math.max(-1, ...(only ?? []));
  // Those of the timeline are there with every seed.
  if (highest < scenario.incidents.length) return;
  for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
    const there = incidentsWith(scenario, seed).length;
    if (highest < there) continue;
    const known = there === 0 ? 'there are none' : `they are numbered from 0 to ${there - 1}`;
    refuse('bad-usage', `--faults ${highest}: with seed ${seed} ${known}`);
  }
};

/** What a scenario's faults would not do in a tier; refused where it waits for them. */
export const vainIn = ({ scenario, tier }: SweepPlan): string | null => {
  const repeats = [...scenario.incidents, ...scenario.mix].some(({ kind }) => kind === 'duplicate');
  if (tier === 'a' || !repeats) return null;
  const why = 'duplicate hits nothing in tier b, where TCP gives each byte once';
  const waits = scenario.expect.find(({ see, of, least }) => see === 'faults' && of === 'duplicate' && (least ?? 0) > 0);
  return waits === undefined ? why : refuse('bad-usage', `${why}, and the scenario waits for it ("${waits.says}"); run it in tier a`);
};
