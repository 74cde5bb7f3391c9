/** How fast a release may read and write the card. */
import type { Manifest } from './release.ts';

type Limits = Pick<Manifest['limits'], 'readKibPerS' | 'writeKibPerS' | 'ioOpsPerS'>;

/** Only a board that can hold it to that is given the instance. */
export const limitsIo = ({ readKibPerS, writeKibPerS, ioOpsPerS }: Limits): boolean =>
  [readKibPerS, writeKibPerS, ioOpsPerS].some((limit) => limit !== undefined);
