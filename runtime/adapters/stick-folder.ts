/**
 * Reading and writing a folder that anybody may have had in hands: only plain files of expected names and lengths are read, no link
 * is followed, and what is written is there whole or not at all.
 */
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { Bytes } from '../protocol/bytes.ts';
import { LichenError, refuse } from '../protocol/errors.ts';
import { LIMITS } from '../protocol/limits.ts';
import {
  BOARDS_FOLDER,
  CONTENT_FOLDER,
  frameName,
  framesFolder,
  GATEWAY_FILE,
  STICK_FOLDER,
  topicOfName,
  type Way,
} from '../protocol/stick.ts';
import { TOPICS, type TopicName } from '../protocol/topics.ts';

export interface Frame {
  topic: TopicName;
  payload: Bytes;
}

export interface Read {
  frames: Frame[];
  /** What was passed over, and why. */
  problems: string[];
}

const ID_BYTES = 64;
const CONTENT_MAX = LIMITS.chunkMaxBytes + 1024;
/** Kept for people; more of them say no more. */
const PROBLEMS = 20;

const isFolder = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

/** Null: there is none. Error: `bad-schema` for what is no plain file, or longer than it may be. */
const readPlain = (path: string, maxBytes: number): Bytes | null => {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return null;
  if (!found.isFile()) return refuse('bad-schema', `${path} is no plain file`);
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  const handle = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    const { size } = fstatSync(handle);
    if (size > maxBytes) return refuse('too-large', `${path} has ${size} bytes, at most ${maxBytes}`);
    return new Uint8Array(readFileSync(handle));
  } finally {
    closeSync(handle);
  }
};

/** Whole and on the medium, or not there. */
const writeWhole = (path: string, bytes: Bytes): void => {
  mkdirSync(dirname(path), { recursive: true });
  const draft = `${path}.new`;
  rmSync(draft, { force: true });
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  const handle = openSync(draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o644);
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(handle, bytes, at);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  renameSync(draft, path);
};

const toldOf = (thrown: unknown): string =>
  thrown instanceof LichenError ? thrown.message : thrown instanceof Error ? thrown.message : String(thrown);

export class StickFolder {
  readonly #path: string;

  /** What is ours lies in a folder of this one, which is followed wherever it leads: whoever starts us names it. */
  constructor(path: string) {
    this.#path = join(path, STICK_FOLDER);
  }

  /** Where that lies. Each folder on the way is looked at first: a link in the place of one would lead off the stick. Error: `bad-schema`. */
  #at(name: string): string {
    let at = dirname(this.#path);
    for (const folder of join(STICK_FOLDER, name).split('/').slice(0, -1)) {
      at = join(at, folder);
      const found = lstatSync(at, { throwIfNoEntry: false });
      if (found === undefined) break;
      if (!found.isDirectory()) refuse('bad-schema', `${at} is a link, or no folder: nothing is read or written there; remove it`);
    }
    return join(this.#path, name);
  }

  /** Names in a folder, in their order; none where there is no such folder. Error: `bad-schema`. */
  #names(name: string): string[] {
    const folder = dirname(this.#at(join(name, 'any')));
    return isFolder(folder) ? readdirSync(folder).sort() : [];
  }

  /** A stick that is prepared is in. */
  get isThere(): boolean {
    return isFolder(this.#path);
  }

  /** Null: it does not say. */
  gateway(): string | null {
    try {
      const bytes = readPlain(this.#at(GATEWAY_FILE), ID_BYTES);
      return bytes === null ? null : new TextDecoder().decode(bytes).trim();
    } catch {
      return null;
    }
  }

  nameGateway(id: string): void {
    writeWhole(this.#at(GATEWAY_FILE), new TextEncoder().encode(`${id}\n`));
  }

  boards(): string[] {
    return this.#names(BOARDS_FOLDER);
  }

  /** In the order of their names. */
  frames(board: string, way: Way): Read {
    const folder = framesFolder(board, way);
    const read: Read = { frames: [], problems: [] };
    let names: string[] = [];
    try {
      names = this.#names(folder);
    } catch (thrown) {
      read.problems.push(toldOf(thrown));
    }
    const taken = names.slice(0, LIMITS.carriedFrames);
    if (names.length > taken.length) read.problems.push(`${names.length} messages, of which ${taken.length} are read`);
    for (const name of taken) {
      const topic = topicOfName(name, way);
      if (topic === null) {
        read.problems.push(`${JSON.stringify(name)} is no name of a message`);
        continue;
      }
      try {
        const payload = readPlain(this.#at(join(folder, name)), TOPICS[topic].maxBytes);
        if (payload !== null) read.frames.push({ topic, payload });
      } catch (thrown) {
        read.problems.push(toldOf(thrown));
      }
    }
    read.problems.splice(PROBLEMS);
    return read;
  }

  clear(board: string, way: Way): void {
    rmSync(this.#at(framesFolder(board, way)), { recursive: true, force: true });
  }

  write(board: string, way: Way, at: number, { topic, payload }: Frame): void {
    writeWhole(this.#at(join(framesFolder(board, way), frameName(at, topic))), payload);
  }

  writeFile(name: string, bytes: Bytes): void {
    writeWhole(this.#at(name), bytes);
  }

  /** Null: it is not there, or cannot be what it is called. Nothing is believed of it. */
  content(hash: string): Bytes | null {
    try {
      return readPlain(this.#at(join(CONTENT_FOLDER, hash)), CONTENT_MAX);
    } catch {
      return null;
    }
  }

  putContent(hash: string, bytes: Bytes): void {
    writeWhole(this.#at(join(CONTENT_FOLDER, hash)), bytes);
  }

  /** What differs when somebody else has written for this board. */
  markOf(board: string): string {
    const folder = this.#at(framesFolder(board, 'down'));
    const at = lstatSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    const root = lstatSync(this.#path, { throwIfNoEntry: false });
    return `${root?.dev ?? 0}/${root?.ino ?? 0}/${at}/${isFolder(folder) ? readdirSync(folder).length : 0}`;
  }
}
