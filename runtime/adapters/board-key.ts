/**
 * The board's own key over its whole life. It is born with one, whose fingerprint stays the board's id, and may hand
 * over to another:
 *
 *   board.key            the present key
 *   board.key.next       the one that follows, until its rotation is written
 *   rotation-<n>.cose    what hands over, signed by both keys; pushed by a person or tool to a gateway, in order
 *
 * The rotation is durable before the new key takes its place: whenever the power is cut, the next start finds a key and
 * the documents that lead to it.
 */
import { existsSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { type Bytes, equal } from '../protocol/bytes.ts';
import { refuse } from '../protocol/errors.ts';
import { type BoardId, fingerprint, idFrom } from '../protocol/ids.ts';
import { sealMany, unsealMany } from '../protocol/noun.ts';
import { type Rotation, rotationNoun } from '../protocol/nouns/request.ts';
import { nodeCrypto } from './crypto.ts';
import { type KeyFile, openKeyFile, syncDirectory, writeOnce } from './keyfile.ts';

export interface BoardKey extends KeyFile {
  id: BoardId;
  /** Oldest first. */
  rotations: Bytes[];
}

const FILE = /^rotation-(\d{6})\.cose$/;
const fileOf = (version: number): string => `rotation-${String(version).padStart(6, '0')}.cose`;

const rotationsIn = (data: string): Bytes[] =>
  readdirSync(data)
    .filter((name) => FILE.test(name))
    .sort()
    .map((name) => new Uint8Array(readFileSync(join(data, name))));

const open = (rotation: Bytes): Rotation => unsealMany(nodeCrypto, rotationNoun, rotation, 2).value;

/** Finishes a hand-over that was cut. Error: `storage-broken` when the files do not belong together. */
export const openBoardKey = (data: string): BoardKey => {
  const [path, next] = [join(data, 'board.key'), join(data, 'board.key.next')];
  const rotations = rotationsIn(data);
  const last = rotations.at(-1);
  const key = openKeyFile(path);
  if (last === undefined) return { ...key, id: fingerprint<BoardId>(nodeCrypto, key.signer.publicKey), rotations };
  const { to, subject } = open(last);
  const id = idFrom<BoardId>(subject);
  if (equal(key.signer.publicKey, to)) return { ...key, id, rotations };
  if (!existsSync(next) || !equal(openKeyFile(next).signer.publicKey, to))
    refuse('storage-broken', `${path} is not the key that ${fileOf(rotations.length)} hands over to`);
  renameSync(next, path);
  syncDirectory(data);
  return { ...openKeyFile(path), id, rotations };
};

/** Makes a new key and hands over to it. Until its gateways know the newest of `rotations`, they refuse this board. */
export const rotateBoardKey = (data: string): BoardKey => {
  const present = openBoardKey(data);
  const next = openKeyFile(join(data, 'board.key.next'));
  const version = present.rotations.length + 1;
  const [from, to] = [present.signer.publicKey, next.signer.publicKey];
  const rotation: Rotation = { v: 1, kind: 'board', subject: present.id, version, from, to };
  writeOnce(join(data, fileOf(version)), sealMany(rotationNoun, rotation, [present.signer, next.signer]));
  return openBoardKey(data);
};
