/** The entropy door on the kernel's generator. */
import { randomBytes } from 'node:crypto';
import type { Entropy } from '../turn/entropy.ts';

export const kernelEntropy: Entropy = { bytes: (length) => new Uint8Array(randomBytes(length)) };
