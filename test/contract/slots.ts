/** What every slots door does, whatever starts the machine. */
import { describe, expect, test } from 'vitest';
import type { Slots, SlotsState } from '../../runtime/ports/slots.ts';
import { type Bytes, equal, fromHex } from '../../runtime/protocol/bytes.ts';
import type { NeighbourPiece } from '../../runtime/protocol/nouns/neighbours.ts';
import type { Entry } from '../../runtime/protocol/nouns/release.ts';
import { testCrypto } from '../support/crypto.ts';
import { filesOf } from '../support/files-of.ts';
import { FIRST_ROOT, hexOf, type System, system } from '../support/system.ts';
import { entriesOf, perform, receive } from './receive.ts';

export interface SlotsRig {
  /** The door as the runtime has it after the machine was started. */
  door(): Slots;
  /** Starts the machine anew, as its firmware does. */
  boot(): void;
  /** Content of the slot that runs, of so many bytes. */
  root(bytes: number): Bytes;
  close(): void;
}

export const slotsContract = (name: string, open: () => SlotsRig, tries: number): void => {
  const [two, three] = [system(2), system(3)];
  const withRig = async (work: (rig: SlotsRig) => Promise<void>): Promise<void> => {
    const rig = open();
    try {
      await work(rig);
    } finally {
      rig.close();
    }
  };
  const state = async (rig: SlotsRig): Promise<SlotsState> => {
    const event = await perform(rig.door(), { kind: 'survey-slots' });
    if (event.kind !== 'slots-surveyed') throw new Error(event.kind);
    return event.state;
  };
  const arm = async (rig: SlotsRig, one: System): Promise<void> => {
    const door = rig.door();
    await receive(door, one);
    expect(await perform(door, { kind: 'arm', release: one.release })).toEqual({ kind: 'armed', release: one.release });
  };
  const restart = (rig: SlotsRig): void => rig.door().perform({ kind: 'restart' }, () => {});

  /** A piece of each of its files, as others ask for it. */
  const pieces = (one: System): NeighbourPiece[] =>
    filesOf(entriesOf(one)).flatMap(({ file, pieces: all }) => [...all].map(({ offset, chunk }) => ({ file, offset, chunk })));
  const given = async (rig: SlotsRig, one: System): Promise<number> => {
    let count = 0;
    for (const piece of pieces(one)) {
      const bytes = await rig.door().read(piece);
      if (bytes !== null) expect([bytes.length, testCrypto.sha256(bytes)]).toEqual([piece.chunk[1], piece.chunk[0]]);
      count += bytes === null ? 0 : 1;
    }
    return count;
  };

  describe(name, () => {
    test('[delivery-13] what was written is given piece by piece: while it comes, once it is armed, and as what runs', () =>
      withRig(async (rig) => {
        const whole = pieces(two).length;
        await perform(rig.door(), { kind: 'receive', release: two.release, entries: entriesOf(two) });
        expect(await given(rig, two)).toBe(0);
        await receive(rig.door(), two);
        expect(await given(rig, two)).toBe(whole);
        await perform(rig.door(), { kind: 'arm', release: two.release });
        expect(await given(rig, two)).toBe(whole);
        await restarted(rig);
        expect(await given(rig, two)).toBe(whole);
        await perform(rig.door(), { kind: 'keep' });
        await arm(rig, three);
        expect([await given(rig, two), await given(rig, three)]).toEqual([whole, pieces(three).length]);
      }));

    test('[delivery-13] nothing is given that is not what it is asked for as', () =>
      withRig(async (rig) => {
        await arm(rig, two);
        const [piece] = pieces(two);
        const { file, offset, chunk } = piece!;
        expect(await rig.door().read({ file, offset: offset + 1, chunk })).toBeNull();
        expect(await rig.door().read({ file, offset, chunk: [chunk[0], chunk[1] - 1] })).toBeNull();
        expect(await rig.door().read({ file, offset: 2 ** 40, chunk })).toBeNull();
        expect(await rig.door().read({ file, offset, chunk: [three.release, chunk[1]] })).toBeNull();
      }));

    test('a card that was flashed has one slot, which stays', () =>
      withRig(async (rig) => {
        expect(await state(rig)).toEqual({ running: 'a', runningRelease: null, trial: false, idle: 'empty', idleRelease: null });
      }));

    test('what is armed is started, and stays when it is kept', () =>
      withRig(async (rig) => {
        await arm(rig, two);
        expect(await state(rig)).toMatchObject({ running: 'a', trial: false, idle: 'armed', idleRelease: hexOf(two) });
        await restarted(rig);
        expect(await state(rig)).toEqual({ running: 'b', runningRelease: hexOf(two), trial: true, idle: 'kept', idleRelease: null });
        expect(equal(rig.root(two.root.length), two.root)).toBe(true);
        expect(await perform(rig.door(), { kind: 'keep' })).toEqual({ kind: 'slot-kept' });
        expect(await state(rig)).toMatchObject({ running: 'b', trial: false });
        rig.boot();
        expect(await state(rig)).toMatchObject({ running: 'b', trial: false });
      }));

    test('what is not kept is started so often, and then the one before', () =>
      withRig(async (rig) => {
        await arm(rig, two);
        await restarted(rig);
        for (let again = 1; again < tries; again++) {
          expect(await state(rig)).toMatchObject({ running: 'b', trial: true });
          rig.boot();
        }
        rig.boot();
        expect(await state(rig)).toMatchObject({ running: 'a', trial: false, idle: 'spent', idleRelease: hexOf(two) });
        expect(equal(rig.root(FIRST_ROOT.length), FIRST_ROOT)).toBe(true);
      }));

    test('what is left is not started again', () =>
      withRig(async (rig) => {
        await arm(rig, two);
        await restarted(rig);
        expect(await perform(rig.door(), { kind: 'leave' })).toEqual({ kind: 'slot-left' });
        rig.boot();
        expect(await state(rig)).toMatchObject({ running: 'a', trial: false });
        rig.boot();
        expect(await state(rig)).toMatchObject({ running: 'a' });
      }));

    test('an update after one that was kept takes the other slot, and after one that was left the same', () =>
      withRig(async (rig) => {
        await arm(rig, two);
        await restarted(rig);
        await perform(rig.door(), { kind: 'keep' });
        await arm(rig, three);
        await restarted(rig);
        expect(await state(rig)).toMatchObject({ running: 'a', runningRelease: hexOf(three), trial: true, idle: 'kept' });
        await perform(rig.door(), { kind: 'leave' });
        rig.boot();
        expect(await state(rig)).toMatchObject({ running: 'b', runningRelease: hexOf(two), trial: false });
        await arm(rig, system(4));
        await restarted(rig);
        expect(await state(rig)).toMatchObject({ running: 'a', runningRelease: hexOf(system(4)), trial: true });
      }));

    test('what is being received is started by nothing, also if something whole lay there before', () =>
      withRig(async (rig) => {
        await arm(rig, two);
        expect(await perform(rig.door(), { kind: 'receive', release: three.release, entries: entriesOf(three) })).toMatchObject({
          kind: 'checked',
        });
        rig.boot();
        expect(await state(rig)).toMatchObject({ running: 'a', trial: false, idle: 'empty' });
      }));

    test('what came before is not asked for again, nor what the running slot has', () =>
      withRig(async (rig) => {
        const whole = filesOf(entriesOf(two)).flatMap(({ pieces }) => [...pieces]).length;
        const first = await receive(rig.door(), two);
        expect(first).toBeLessThan(whole);
        rig.boot();
        const entries = entriesOf(two);
        await perform(rig.door(), { kind: 'receive', release: two.release, entries });
        const [root] = filesOf(entries).filter(({ bytes }) => bytes === two.root.length);
        expect(await perform(rig.door(), { kind: 'gather', files: [root!] })).toEqual({
          kind: 'gathered',
          lacks: [],
        });
      }));

    test('what is not whole is not armed', () =>
      withRig(async (rig) => {
        const door = rig.door();
        await perform(door, { kind: 'receive', release: two.release, entries: entriesOf(two) });
        expect(await perform(door, { kind: 'arm', release: two.release })).toMatchObject({ kind: 'slots-refused', step: 'arm' });
        const [file] = filesOf(entriesOf(two));
        expect(await perform(door, { kind: 'seal', file: file!.file, bytes: file!.bytes })).toMatchObject({ kind: 'files-refused' });
      }));

    test('a tree that is no system is refused', () =>
      withRig(async (rig) => {
        const entries: Entry[] = [
          { kind: 'file', path: 'boot/release', executable: false, bytes: 1, hash: fromHex('00'.repeat(32)), chunks: [] },
        ];
        expect(await perform(rig.door(), { kind: 'receive', release: two.release, entries })).toMatchObject({
          kind: 'slots-refused',
          error: { code: 'bad-release' },
        });
      }));
  });

  /** The runtime says so, and the machine does. */
  const restarted = async (rig: SlotsRig): Promise<void> => {
    restart(rig);
    await perform(rig.door(), { kind: 'survey-slots' });
    rig.boot();
  };
};
