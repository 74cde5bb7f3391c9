/** Full jitter (AWS Architecture Blog, 2015): anywhere between now and twice as far as last time, so that nobody comes back together. */
import { below, type Entropy } from '../../runtime/turn/entropy.ts';

export const fullJitterMs = (entropy: Entropy, attempt: number, baseMs: number, capMs: number): number =>
  below(entropy, Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30)));
