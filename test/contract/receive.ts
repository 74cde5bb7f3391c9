/** A system through a slots door, step by step as the agent takes them. */
import { unpackZstd } from '../../runtime/adapters/zstd.ts';
import type { Slots, SlotsContentEvent, SlotsEvent, SlotsStep } from '../../runtime/ports/slots.ts';
import { equal } from '../../runtime/protocol/bytes.ts';
import { decodeAs } from '../../runtime/protocol/noun.ts';
import { type Entry, pageSchema } from '../../runtime/protocol/nouns/release.ts';
import { contentIn } from '../../runtime/protocol/packing.ts';
import { testCrypto } from '../support/crypto.ts';
import { filesOf } from '../support/files-of.ts';
import type { System } from '../support/system.ts';

export const entriesOf = ({ manifest, content }: System): Entry[] =>
  manifest.pages.flatMap((hash) => decodeAs(pageSchema, content.get(Buffer.from(hash).toString('hex'))!, 'page').entries);

export const perform = (door: Slots, step: SlotsStep): Promise<SlotsEvent | SlotsContentEvent> =>
  new Promise((answer) => door.perform(step, answer));

/** The pieces that the door did not find by itself. */
export const receive = async (door: Slots, one: System): Promise<number> => {
  const entries = entriesOf(one);
  const checked = await perform(door, { kind: 'receive', release: one.release, entries });
  if (checked.kind !== 'checked') throw new Error(JSON.stringify(checked));
  const files = filesOf(entries);
  const gathered = await perform(door, { kind: 'gather', files });
  if (gathered.kind !== 'gathered') throw new Error(gathered.kind);
  for (const { file, offset } of gathered.lacks) {
    const jigsaw = files.find((one) => equal(one.file.hash, file.hash));
    const piece = [...(jigsaw?.pieces ?? [])].find((one) => one.offset === offset);
    const [hash, length] = piece!.chunk;
    const bytes = contentIn(testCrypto, unpackZstd, hash, one.content.get(Buffer.from(hash).toString('hex'))!, length)!;
    const written = await perform(door, { kind: 'write', file, offset, bytes });
    if (written.kind !== 'written') throw new Error(JSON.stringify(written));
  }
  for (const { file, bytes } of files) {
    const sealed = await perform(door, { kind: 'seal', file, bytes });
    if (sealed.kind !== 'file-sealed') throw new Error(JSON.stringify(sealed));
  }
  return gathered.lacks.length;
};
