/** Until a board has a gateway: it asks to be paired, shows itself, and pairs by its claim if it has one. */
import { readNotes } from '../adapters/notes.ts';
import { asLichenError, tell } from '../protocol/errors.ts';
import { type RunningReport, reportText } from '../protocol/hardware-report.ts';
import { type BoardId, codeOf } from '../protocol/ids.ts';
import type { Clock } from '../turn/clock.ts';
import { type Face, openFace } from './face.ts';
import type { Home, Pairing } from './pairing.ts';

export interface UnpairedOptions {
  board: BoardId;
  clock: Clock;
  /** By the claim, if the board was given one. */
  pairing: Pairing | null;
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

const BY_CLAIM = 'its gateway, by the claim that it was given';

/** Resolves with its home; with null when it asks to be paired and nothing that it has will do it. */
export const findHome = async (options: UnpairedOptions): Promise<Home | null> => {
  const { board, pairing, page, journal } = options;
  let refused = '';
  const waits = (): string => {
    if (pairing === null || refused !== '') return `${WAYS}${refused}`;
    const said = pairing.said();
    return said === '' ? BY_CLAIM : `${BY_CLAIM}; just now: ${said}`;
  };
  // One that has found its home meanwhile has nothing to show.
  const face = page === null || pairing?.isOver() === true ? null : await showFace(options, page, waits);
  const ask = (): null => {
    journal('unpaired', { board, code: codeOf(board), next: waits() });
    return null;
  };
  if (pairing === null) return ask();
  try {
    const home = await pairing.home;
    face?.close();
    return home;
  } catch (thrown) {
    if (face === null) throw thrown;
    const { says, why, next } = tell(asLichenError(thrown));
    refused = `. The claim that it had is of no use: ${says} ${why} ${next}`;
    return ask();
  }
};
