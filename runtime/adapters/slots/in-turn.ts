/** Steps of a slots' door run one after the other, and each is answered once. */
import type { Slots, SlotsContentEvent, SlotsEvent, SlotsStep } from '../../ports/slots.ts';
import { asLichenError, type LichenError } from '../../protocol/errors.ts';
import { diskError } from '../disk.ts';
import type { SlotContent } from './content.ts';

type Answer = SlotsEvent | SlotsContentEvent;

const refused = (step: SlotsStep, error: LichenError): Answer =>
  step.kind === 'gather' || step.kind === 'write' || step.kind === 'seal'
    ? { kind: 'files-refused', step, error }
    : { kind: 'slots-refused', step: step.kind, error };

/** What differs from one kind of slots to the other. */
export type OwnStep = Exclude<SlotsStep, { kind: 'gather' | 'write' | 'seal' }>;

const act = async (content: SlotContent, step: SlotsStep, perform: (step: OwnStep) => Promise<Answer | null>): Promise<Answer | null> => {
  switch (step.kind) {
    case 'gather':
      return { kind: 'gathered', lacks: await content.gather(step.files) };
    case 'write':
      await content.write(step.file, step.offset, step.bytes);
      return { kind: 'written', file: step.file, offset: step.offset };
    case 'seal':
      await content.seal(step.file, step.bytes);
      return { kind: 'file-sealed', file: step.file };
    default:
      return await perform(step);
  }
};

/** `perform` answers null when there is nobody left to be answered. */
export const inTurn = (content: SlotContent, perform: (step: OwnStep) => Promise<Answer | null>): Slots => {
  let queue: Promise<unknown> = Promise.resolve();
  return {
    read: content.read,
    perform: (step, answer) => {
      const done = queue
        .then(() => act(content, step, perform))
        .catch((thrown: unknown) => refused(step, asLichenError(diskError(thrown))));
      queue = done;
      void done.then((event) => event !== null && answer(event));
    },
  };
};
