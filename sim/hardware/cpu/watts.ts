/** What the whole board takes from its supply: linear between idle and all cores busy, as published measurements are within a few per cent. */
import type { Hardware } from '../profiles.ts';

/** `busyPermille`: work done, of what all cores do at full speed. A slower clock draws less by doing less. */
export const wattsAt = ({ idleWatts, maxWatts }: Pick<Hardware, 'idleWatts' | 'maxWatts'>, busyPermille: number): number =>
  idleWatts + ((maxWatts - idleWatts) * Math.min(1000, Math.max(0, busyPermille))) / 1000;
