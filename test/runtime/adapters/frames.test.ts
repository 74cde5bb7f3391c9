/** Frames come out as they went in, however the stream was cut; what is too long is never kept. */
import { duplexPair } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FrameReader, readFrames, writeFrame } from '../../../runtime/adapters/frames.ts';
import { type Bytes, concat } from '../../../runtime/protocol/bytes.ts';
import { LichenError } from '../../../runtime/protocol/errors.ts';

const framed = (content: Bytes): Bytes => {
  const prefix = new Uint8Array(4);
  new DataView(prefix.buffer).setUint32(0, content.length);
  return concat(prefix, content);
};

describe('the reader', () => {
  test('whatever the cuts, the same frames', () => {
    const frames = fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 12 });
    fc.assert(
      fc.property(frames, fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1 }), (contents, cuts) => {
        const stream = concat(...contents.map(framed));
        const got: Bytes[] = [];
        const reader = new FrameReader(400, (frame) => got.push(frame));
        for (let at = 0, i = 0; at < stream.length; i++) {
          const size = cuts[i % cuts.length]!;
          reader.push(stream.subarray(at, at + size));
          at += size;
        }
        expect(got).toEqual(contents);
        expect(reader.atBoundary).toBe(true);
      }),
    );
  });

  test('the limit is exact, and refused with the last byte of the length', () => {
    const reader = new FrameReader(10, () => {});
    reader.push(framed(new Uint8Array(10)));
    reader.push(Uint8Array.of(0, 0, 0));
    expect(reader.atBoundary).toBe(false);
    expect(() => reader.push(Uint8Array.of(11))).toThrow('too-large');
    expect(() => new FrameReader(2 ** 20, () => {}).push(Uint8Array.of(255, 255, 255, 255))).toThrow('4294967295');
  });
});

describe('on a stream', () => {
  const open = (maxBytes: number, onFrame: (frame: Bytes) => void = () => {}) => {
    const [near, far] = duplexPair();
    const got: Bytes[] = [];
    const ended = new Promise<LichenError | null>((resolve) => {
      const frame = (content: Bytes) => {
        got.push(content);
        onFrame(content);
      };
      readFrames(near, maxBytes, { frame, ended: resolve });
    });
    return { near, far, got, ended };
  };

  test('an end between frames is an end, an end within one is an error', async () => {
    const whole = open(100);
    writeFrame(whole.far, Uint8Array.of(1, 2));
    writeFrame(whole.far, new Uint8Array(0));
    whole.far.end();
    expect(await whole.ended).toBeNull();
    expect(whole.got).toEqual([Uint8Array.of(1, 2), new Uint8Array(0)]);
    const torn = open(100);
    torn.far.end(framed(Uint8Array.of(1, 2, 3)).subarray(0, 6));
    expect(await torn.ended).toMatchObject({ code: 'unavailable' });
  });

  test('too long a frame ends the stream, and nothing after it is heard', async () => {
    const { far, near, got, ended } = open(3);
    far.write(concat(framed(Uint8Array.of(1)), framed(new Uint8Array(4)), framed(Uint8Array.of(2))));
    expect(await ended).toMatchObject({ code: 'too-large' });
    expect(got).toEqual([Uint8Array.of(1)]);
    expect(near.destroyed).toBe(true);
  });

  test('what the listener throws ends the stream with it', async () => {
    const { far, ended, got } = open(100, () => {
      throw new LichenError('bad-schema', 'no');
    });
    writeFrame(far, Uint8Array.of(1));
    writeFrame(far, Uint8Array.of(2));
    expect(await ended).toMatchObject({ code: 'bad-schema' });
    expect(got).toHaveLength(1);
  });

  test('writing says when to wait', () => {
    const [near] = duplexPair({ highWaterMark: 16 });
    expect(writeFrame(near, new Uint8Array(2))).toBe(true);
    let roomy = true;
    for (let i = 0; i < 20; i++) roomy = writeFrame(near, new Uint8Array(8));
    expect(roomy).toBe(false);
    expect(writeFrame(near, new Uint8Array(0))).toBe(false);
  });
});
