/** Until a board has a gateway: it asks to be paired, shows itself, and pairs by its claim if it has one. */
import type { Identity } from '../adapters/certificate.ts';
import { readNotes } from '../adapters/notes.ts';
import { asLichenError, tell } from '../protocol/errors.ts';
import { type RunningReport, reportText } from '../protocol/hardware-report.ts';
import { type BoardId, codeOf } from '../protocol/ids.ts';
import type { Clock } from '../turn/clock.ts';
import { type Face, openFace } from './face.ts';
import { type Home, pairBy } from './pairing.ts';

export interface UnpairedOptions {
  board: BoardId;
  identity: Identity;
  clock: Clock;
  /** The line that `lichen board claim` prints, if the board was given one. */
  claim: string | undefined;
  /** Where else its gateway may be reached. */
  gateways: string[];
  /** Port of the page; null: nothing is shown, and a claim that is refused ends the runtime. */
  page: number | null;
  /** Folder of what the start of the board left for people. */
  notes: string | null;
  about: Pick<RunningReport, 'software' | 'hostname' | 'tier' | 'engine' | 'lacks'>;
  journal(line: string, detail?: Record<string, unknown>): void;
  /** As it is, several lines. */
  print(text: string): void;
}

const WAYS =
  'this board asks to be paired: give it the line that "lichen board claim" prints, by "claim" in lichen.json on the first partition of its image, or --claim';
/** For addresses to come; the page says them as they are. */
const PRINT_AFTER_MS = 10_000;

const showFace = async (options: UnpairedOptions, page: number, waits: () => string): Promise<Face> => {
  const { board, clock, notes, about, journal, print } = options;
  const runtimeS = clock.now().monoMs / 1000;
  const running = (): RunningReport => ({ board, code: codeOf(board), ...about, waits: waits(), ...readNotes(notes), runtimeS });
  const face = await openFace({ port: page, clock, running, say: journal });
  const undo = clock.after(PRINT_AFTER_MS, () => void face.report().then((report) => print(`${reportText(report)}\n`)));
  return {
    ...face,
    close: () => {
      undo();
      face.close();
    },
  };
};

/** Resolves with its home; with null when it asks to be paired and nothing that it has will do it. */
export const findHome = async (options: UnpairedOptions): Promise<Home | null> => {
  const { board, identity, clock, claim, gateways, page, journal } = options;
  let waits = claim === undefined ? WAYS : 'its gateway, by the claim that it was given';
  const face = page === null ? null : await showFace(options, page, () => waits);
  const ask = (): null => {
    journal('unpaired', { board, code: codeOf(board), next: waits });
    return null;
  };
  if (claim === undefined) return ask();
  const say = (text: string): void => {
    waits = `its gateway, by the claim that it was given; just now: ${text}`;
    journal(`pairing: ${text}`);
  };
  try {
    const home = await pairBy({ line: claim, gateways, identity, board, clock, say });
    face?.close();
    return home;
  } catch (thrown) {
    if (face === null) throw thrown;
    const { says, why, next } = tell(asLichenError(thrown));
    waits = `${WAYS}. The claim that it had is of no use: ${says} ${why} ${next}`;
    return ask();
  }
};
