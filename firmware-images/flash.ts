/** `lichen image flash`: an image onto a card, read back from it before it is called done. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, constants, createReadStream, existsSync, fsyncSync, openSync, statSync, writeSync } from 'node:fs';
import { codeOf } from '../runtime/adapters/disk.ts';
import { refuse } from '../runtime/protocol/errors.ts';
import { needFree } from './device.ts';
import { inspectImage } from './inspect.ts';
import { runTool } from './tool.ts';

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

/** How long it will be: of a packed one its own index says so (xz(1), `--robot --list`). */
const unpackedBytes = async (image: string): Promise<number> => {
  if (!image.endsWith('.xz')) return statSync(image).size;
  const told = (await runTool('xz', ['--robot', '--list', image])).toString();
  return Number(/^totals\t\d+\t\d+\t\d+\t(\d+)\t/m.exec(told)?.[1] ?? 0);
};

/** Past the page cache where it is a device: what counts is what lies on the card. */
async function* readBack(device: string, bytes: number): AsyncGenerator<Buffer> {
  const direct = statSync(device).isBlockDevice() ? ['iflag=direct,count_bytes'] : ['iflag=count_bytes'];
  const child = spawn('dd', [`if=${device}`, 'bs=1M', `count=${bytes}`, ...direct, 'status=none'], { stdio: ['ignore', 'pipe', 'ignore'] });
  const failed = new Promise<Error | null>((resolve) => child.once('close', () => resolve(null)).once('error', resolve));
  yield* child.stdout;
  const why = await failed;
  if (why !== null) refuse('image-failed', `${device} was written and cannot be read back (${why.message})`);
}

const telling = (say: Job['say'], what: string): ((done: number, whole: number) => void) => {
  let told = 0;
  return (done, whole) => {
    const part = Math.floor((done * 100) / whole / STEP) * STEP;
    if (part > told) say(`${what}: ${part} %`);
    told = Math.max(told, part);
  };
};

const put = (file: number, bytes: Buffer, at: number): void => {
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, bytes.length - done, at + done);
};

/** What the kernel says of a device that is not there any more, or takes no more. */
const DEVICE_ERRORS = ['EIO', 'ENODEV', 'ENXIO', 'ENOSPC', 'EROFS', 'EPERM', 'EACCES'];

/** Why a device is not opened, before anything of it was changed. */
const OPEN_ERRORS: Record<string, string> = {
  EACCES: 'needs root: run it with sudo',
  EPERM: 'needs root: run it with sudo',
  EBUSY: 'is in use',
  EROFS: 'is write-protected: see the switch at its side, or of its reader',
  ENOMEDIUM: 'has no card in it',
  ENODEV: 'is not there any more',
  ENXIO: 'is not there any more',
};

const openDevice = (device: string): number => {
  try {
    return openSync(device, constants.O_RDWR | (statSync(device).isBlockDevice() ? constants.O_EXCL : 0));
  } catch (thrown) {
    const why = OPEN_ERRORS[codeOf(thrown)];
    if (why === undefined) throw thrown;
    return refuse('bad-usage', `${device} ${why}. Nothing was changed on it`);
  }
};

const onDevice = async <T>(device: string, work: () => Promise<T>): Promise<T> => {
  try {
    return await work();
  } catch (thrown) {
    const code = codeOf(thrown);
    if (!DEVICE_ERRORS.includes(code)) throw thrown;
    const why = 'it was pulled out, is write-protected, worn out, or less than it says';
    return refuse('image-failed', `${device} does not take it (${code}): ${why}. What is on it starts nothing: write it once more`);
  }
};

/** The first mebibyte goes first, as nothing, and last: a card on which only half arrived has no table and starts nothing, not even what was on it. */
const write = async (file: number, { image, say }: Job): Promise<{ bytes: number; sha256: string }> => {
  const [hash, head] = [createHash('sha256'), Buffer.alloc(MIB)];
  const [tell, packedBytes] = [telling(say, 'writing'), statSync(image).size];
  const whole = image.endsWith('.xz') ? null : packedBytes;
  let at = 0;
  try {
    put(file, head, 0);
    fsyncSync(file);
    for await (const part of unpacked(image)) {
      hash.update(part);
      const before = Math.min(part.length, Math.max(0, MIB - at));
      part.copy(head, at, 0, before);
      put(file, part.subarray(before), at + before);
      at += part.length;
      if (whole !== null) tell(at, whole);
      else if (at % (64 * MIB) < part.length) say(`writing: ${Math.floor(at / MIB)} MiB`);
    }
    if (at < MIB) refuse('image-failed', `${image} is no image of a disk`);
    fsyncSync(file);
    put(file, head, 0);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  return { bytes: at, sha256: hash.digest('hex') };
};

export const flashImage = async (job: Job): Promise<Flashed> => {
  const { image, device, say } = job;
  if (!existsSync(image)) refuse('not-found', image);
  needFree(device, await unpackedBytes(image));
  const { sum } = await inspectImage(image);
  if (sum === 'different') refuse('image-failed', `${image} is not what the sums beside it say: fetch it anew`);
  const file = openDevice(device);
  const { bytes, sha256 } = await onDevice(device, () => write(file, job));
  const [hash, tell] = [createHash('sha256'), telling(say, 'reading back')];
  let done = 0;
  for await (const part of readBack(device, bytes)) {
    hash.update(part);
    done += part.length;
    tell(done, bytes);
  }
  if (hash.digest('hex') !== sha256)
    refuse('image-failed', `${device} does not hold what was written to it: it was pulled out, is worn out, or is less than it says`);
  return { device, bytes, sha256 };
};
