/** Hostile programs, small and bounded. */
import { describe } from 'vitest';
import { hostileData } from './hostile-data.ts';
import { hostileKernel } from './hostile-kernel.ts';
import { onCrun, withBench } from './on-crun.ts';

onCrun('hostile programs', () =>
  describe('of crun', () => {
    const bench = withBench();
    hostileKernel(bench);
    hostileData(bench);
  }),
);
