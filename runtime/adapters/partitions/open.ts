/** Opens the board's door to its kernel with the best engine that works here. */
import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import type { PartitionEvent, Partitions } from '../../ports/partitions.ts';
import { asLichenError, LichenError } from '../../protocol/errors.ts';
import { type DetectedCrun, type DetectedDev, detectCrun, detectDev } from './detect.ts';
import { BOARD_ROOTS, type DeviceRoots } from './devices.ts';
import { Door } from './door.ts';
import { isId } from './names.ts';
import { Supervisor } from './supervisor.ts';

export interface PartitionsOptions {
  /** 32 characters of [a-z2-7]. */
  board: string;
  /** Partitions live in `<dataPath>/partitions`. */
  dataPath: string;
  /** The Node binary that releases with `engine: node` run on. */
  nodePath: string;
  /** Forces the unprivileged engine. */
  tier?: 'dev';
  /** Where devices are looked for; by default the board's own. */
  devices?: DeviceRoots;
  /** Between two questions for what a DNS name of a rule means. */
  namesMs?: number;
  log: (line: string) => void;
}

const ATTEMPTS = 3;

/** Errors: `not-offered` when neither engine works here, with what to do in its detail; `unavailable` when none could be tried. */
export const openPartitions = async (options: PartitionsOptions): Promise<Partitions> => {
  const { board, log } = options;
  if (!isId(board)) throw new LichenError('internal', `${JSON.stringify(board)} is not the id of a board`);
  const detection = {
    board,
    dataPath: resolve(options.dataPath),
    nodePath: realpathSync(options.nodePath),
    devices: options.devices ?? BOARD_ROOTS,
    namesMs: options.namesMs,
  };
  const { engine, enforcement } = await detect(detection, options.tier === 'dev');
  const listeners: ((event: PartitionEvent) => void)[] = [];
  const supervisor = new Supervisor({
    board,
    dataPath: detection.dataPath,
    backend: engine,
    ownUids: process.getuid?.() === 0,
    exited: (partition, exit) => {
      for (const listener of listeners) listener({ kind: 'exited', partition, exit });
    },
    log,
  });
  return new Door(enforcement, supervisor, listeners);
};

const detect = async (detection: Parameters<typeof detectCrun>[0], forceDev: boolean): Promise<DetectedCrun | DetectedDev> => {
  if (forceDev) return detectDev(detection, 'The unprivileged engine was asked for: leave out --tier dev.');
  for (let attempt = 1; ; attempt++) {
    try {
      return await detectCrun(detection);
    } catch (error) {
      const { code, detail } = asLichenError(error);
      if (code === 'not-offered') return detectDev(detection, detail);
      // One trial in some twenty fails when several boards of one machine start at once (crun 1.8.1, conmon 2.1.6), and
      // being busy is no reason to run unlimited: what went wrong is tried again before it is believed.
      if (attempt < ATTEMPTS && (code === 'engine-failed' || code === 'unavailable')) continue;
      if (code === 'engine-failed') return detectDev(detection, detail);
      throw error;
    }
  }
};
