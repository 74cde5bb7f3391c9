/**
 * Partitions: what the runtime adds to a start and a stop beside a shell that does the same with crun alone, what watching
 * twenty of them costs, how far its meters are from the kernel's own, and how many hostile programs
 * are held. As root, with crun and conmon; with QEMU where this machine does not count what is written.
 */
import type { Measure } from './measure.ts';
import { ioError, meterErrors } from './partitions/errors.ts';
import { escapes } from './partitions/escapes.ts';
import { ioErrorInside } from './partitions/guest.ts';
import { Stage } from './partitions/stage.ts';
import { startsAndStops } from './partitions/starts.ts';
import { watching } from './partitions/watching.ts';

export const measure: Measure = async () => {
  const stage = await Stage.open();
  try {
    const rows = [...(await startsAndStops(stage)), ...(await watching(stage)), ...(await meterErrors(stage))];
    return [...rows, ...(await (stage.layout.io ? ioError(stage) : ioErrorInside())), ...escapes()];
  } finally {
    await stage.close();
  }
};
