/** What a release may keep in `/data`. */
import { LIMITS } from '../limits.ts';
import type { Manifest } from './release.ts';

export const MIB = 1_048_576;
/** Files, directories and links for each MiB, when a release does not say how many. */
const INODES_PER_MIB = 16;
const INODES_MIN = 64;

export interface DataLimit {
  mib: number;
  inodes: number;
}

type Limits = Pick<Manifest['limits'], 'dataMib' | 'dataInodes'>;

/** Null: the release asks for no limit, and is given none. */
export const dataLimitOf = ({ dataMib, dataInodes }: Limits): DataLimit | null => {
  if (dataMib === undefined && dataInodes === undefined) return null;
  const mib = dataMib ?? LIMITS.dataMib;
  return { mib, inodes: dataInodes ?? Math.max(INODES_MIN, mib * INODES_PER_MIB) };
};

/** Of what a board has set aside for `/data`. */
export const dataMibOf = (limits: Limits): number => dataLimitOf(limits)?.mib ?? 0;
