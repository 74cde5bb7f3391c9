/** What a board tells of itself until it is paired: on its network by a name and a page, and once on its own consoles. */
import { addressesOf, interfacesOf, readHardware } from '../adapters/hardware.ts';
import type { HardwareReport, RunningReport } from '../protocol/hardware-report.ts';
import type { Clock } from '../turn/clock.ts';
import { openName } from './name.ts';
import { openPage } from './page.ts';

export interface FaceOptions {
  /** Of the page. */
  port: number;
  clock: Clock;
  /** What the runtime knows; of the moment. */
  running(): RunningReport;
  say(line: string): void;
}

export interface Face {
  /** Null while nothing is shown. */
  report(): Promise<HardwareReport>;
  close(): void;
}

/** The card is read for its speed, so not by every reader. */
const KEPT_MS = 30_000;

/** Never fails for want of a port: the screen is still there. */
export const openFace = async ({ port, clock, running, say }: FaceOptions): Promise<Face> => {
  let kept: { atMs: number; hardware: ReturnType<typeof readHardware> } | null = null;
  const report = async (): Promise<HardwareReport> => {
    const { monoMs } = clock.now();
    if (kept === null || monoMs - kept.atMs > KEPT_MS) kept = { atMs: monoMs, hardware: readHardware() };
    return { v: 1, hardware: { ...(await kept.hardware), addresses: addressesOf() }, running: running() };
  };
  const page = await openPage({ host: '::', port, report }).catch((thrown: unknown) => {
    say(`the page for its network cannot be shown: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
    return null;
  });
  const name = page === null ? null : openName({ hostname: running().hostname, port: page.port, clock, interfaces: interfacesOf });
  return {
    report,
    close: () => {
      name?.close();
      page?.close();
    },
  };
};
