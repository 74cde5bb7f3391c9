/** Steps of a slots' door run one after the other, and each is answered once. */
import type { Slots, SlotsContentEvent, SlotsEvent, SlotsStep } from '../../ports/slots.ts';
import { asLichenError, type LichenError } from '../../protocol/errors.ts';
import { diskError } from '../disk.ts';

type Answer = SlotsEvent | SlotsContentEvent;

const refused = (step: SlotsStep, error: LichenError): Answer =>
  step.kind === 'gather' || step.kind === 'write' || step.kind === 'seal'
    ? { kind: 'files-refused', step, error }
    : { kind: 'slots-refused', step: step.kind, error };

/** `perform` answers null when there is nobody left to be answered. */
export const inTurn = (perform: (step: SlotsStep) => Promise<Answer | null>): Slots => {
  let queue: Promise<unknown> = Promise.resolve();
  return {
    perform: (step, answer) => {
      const done = queue.then(() => perform(step)).catch((thrown: unknown) => refused(step, asLichenError(diskError(thrown))));
      queue = done;
      void done.then((event) => event !== null && answer(event));
    },
  };
};
