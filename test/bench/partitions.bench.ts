/**
 * Partitions: what the runtime adds to a start and a stop beside a shell that does the same with crun alone, what watching
 * twenty of them costs, how far its meters are from the kernel's own, and how many hostile programs
 * are held. As root, with crun and conmon.
 */
import type { Measure } from './measure.ts';
import { meterErrors } from './partitions/errors.ts';
import { escapes } from './partitions/escapes.ts';
import { Stage } from './partitions/stage.ts';
import { startsAndStops } from './partitions/starts.ts';
import { watching } from './partitions/watching.ts';

export const measure: Measure = async () => {
  const stage = await Stage.open();
  try {
    return [...(await startsAndStops(stage)), ...(await watching(stage)), ...(await meterErrors(stage)), ...escapes()];
  } finally {
    await stage.close();
  }
};
