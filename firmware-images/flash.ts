/** `lichen image flash`: an image onto a card, read back from it before it is called done. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, constants, createReadStream, existsSync, fsyncSync, openSync, statSync, writeSync } from 'node:fs';
import { refuse } from '../runtime/protocol/errors.ts';
import { needFree } from './device.ts';
import { inspectImage } from './inspect.ts';

const MIB = 1024 * 1024;
/** What is told to a person on the way, in hundredths of the whole. */
const STEP = 10;

export interface Flashed {
  device: string;
  bytes: number;
  sha256: string;
}

interface Job {
  image: string;
  device: string;
  say(line: string): void;
}

/** Pieces of what the image is, unpacked. Error: `image-failed` if it ends before its end. */
async function* unpacked(image: string): AsyncGenerator<Buffer> {
  if (!image.endsWith('.xz')) return yield* createReadStream(image, { highWaterMark: MIB });
  const child = spawn('xz', ['-dc', image], { stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve).once('error', () => resolve(null)));
  yield* child.stdout;
  if ((await ended) !== 0) refuse('image-failed', `${image} cannot be unpacked whole: fetch it anew`);
}

/** Past the page cache where it is a device: what counts is what lies on the card. */
async function* readBack(device: string, bytes: number): AsyncGenerator<Buffer> {
  const direct = statSync(device).isBlockDevice() ? ['iflag=direct,count_bytes'] : ['iflag=count_bytes'];
  const child = spawn('dd', [`if=${device}`, 'bs=1M', `count=${bytes}`, ...direct, 'status=none'], { stdio: ['ignore', 'pipe', 'ignore'] });
  yield* child.stdout;
}

const telling = (say: Job['say'], what: string): ((done: number, whole: number) => void) => {
  let told = 0;
  return (done, whole) => {
    const part = Math.floor((done * 100) / whole / STEP) * STEP;
    if (part > told) say(`${what}: ${part} %`);
    told = Math.max(told, part);
  };
};

/** The first mebibyte goes last: a card on which only half arrived has no table and starts nothing. */
const write = async ({ image, device, say }: Job): Promise<{ bytes: number; sha256: string }> => {
  const file = openSync(device, constants.O_RDWR | (statSync(device).isBlockDevice() ? constants.O_EXCL : 0));
  const [hash, head] = [createHash('sha256'), Buffer.alloc(MIB)];
  const [tell, packedBytes] = [telling(say, 'writing'), statSync(image).size];
  const whole = image.endsWith('.xz') ? null : packedBytes;
  let at = 0;
  try {
    for await (const part of unpacked(image)) {
      hash.update(part);
      const before = Math.min(part.length, Math.max(0, MIB - at));
      part.copy(head, at, 0, before);
      for (let done = before; done < part.length; ) done += writeSync(file, part, done, part.length - done, at + done);
      at += part.length;
      if (whole !== null) tell(at, whole);
      else if (at % (64 * MIB) < part.length) say(`writing: ${Math.floor(at / MIB)} MiB`);
    }
    if (at < MIB) refuse('image-failed', `${image} is no image of a disk`);
    fsyncSync(file);
    for (let done = 0; done < MIB; ) done += writeSync(file, head, done, MIB - done, done);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  return { bytes: at, sha256: hash.digest('hex') };
};

export const flashImage = async (job: Job): Promise<Flashed> => {
  const { image, device, say } = job;
  if (!existsSync(image)) refuse('not-found', image);
  needFree(device, image.endsWith('.xz') ? 0 : statSync(image).size);
  const { sum } = await inspectImage(image);
  if (sum === 'different') refuse('image-failed', `${image} is not what the sums beside it say: fetch it anew`);
  const { bytes, sha256 } = await write(job);
  const [hash, tell] = [createHash('sha256'), telling(say, 'reading back')];
  let done = 0;
  for await (const part of readBack(device, bytes)) {
    hash.update(part);
    done += part.length;
    tell(done, bytes);
  }
  if (hash.digest('hex') !== sha256)
    refuse('image-failed', `${device} does not hold what was written to it: it is worn out, or is less than it says`);
  return { device, bytes, sha256 };
};
