/** What every charge is examined with. */
import type { Crypto } from '../../runtime/protocol/crypto.ts';
import type { Archive } from './archive.ts';
import type { JudgeLimits } from './bounds.ts';
import type { Docket } from './docket.ts';
import type { Scene } from './scene.ts';

export interface Court {
  crypto: Crypto;
  limits: JudgeLimits;
  docket: Docket;
  scene: Scene;
  archive: Archive;
}
