/** A gateway on this machine for a board in QEMU, and everybody's keys, as the command line makes them. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from '../../sim/harness/ports.ts';
import { until } from '../../sim/harness/wait.ts';
import { type Service, serve, told } from '../gateway/cli/command.ts';
import { GATE } from './machine.ts';

export interface Federation {
  gateway: Service;
  place: { cwd: string; env: Record<string, string> };
}

export const openFederation = async (folder: string): Promise<Federation> => {
  const before = { cwd: folder, env: {} };
  mkdirSync(join(folder, 'gateway'));
  for (const key of ['root.key', 'gateway/gateway.key', 'publisher.key', 'release.key', 'tenant.key', 'owner.key'])
    await told(['key', 'new', key], before);
  const [port = 0] = await freePorts(1);
  const entry = `name=alpha,region=north,key=gateway/gateway.key,address=${GATE}:${port}`;
  await told(['operator', 'init', '--root', 'root.key', '--name', 'North', '--gateway', entry, '--out', 'operator-1.cose'], before);
  const words = ['--operator', 'operator-1.cose', '--listen', `127.0.0.1:${port}`, '--api-listen', '127.0.0.1:0'];
  const gateway = await serve(['gateway', 'run', '--data', 'gateway', ...words], before);
  const token = readFileSync(join(folder, 'gateway/admin.token'), 'utf8');
  const env = { LICHEN_API: `http://127.0.0.1:${gateway.ready.apiPort}`, LICHEN_TOKEN: token };
  return { gateway, place: { cwd: folder, env } };
};

/** The file that a person puts beside an image. */
export const writeSetup = async ({ place }: Federation, hostname: string): Promise<string> => {
  const { claim } = await told<{ claim: string }>(['board', 'claim', '--owner-key', 'owner.key'], place);
  const path = join(place.cwd, 'lichen.json');
  writeFileSync(path, JSON.stringify({ claim, hostname }));
  return path;
};

export const makePublisher = async ({ place }: Federation): Promise<string> => {
  const words = ['--root', 'publisher.key', '--name', 'Press', '--key', 'release.key', '--out', 'publisher-1.cose'];
  return (await told<{ publisher: string }>(['publisher', 'init', ...words], place)).publisher;
};

export interface BoardRow {
  board: string;
  here: boolean;
  offer: { tier: string; engine: string } | null;
  system: Part | null;
  runtime: Part | null;
}

interface Part {
  slot: string;
  release: string | null;
  update: { release: string; phase: string; detail: string } | null;
}

/** The one board, once it is as it is waited for. */
export const boardWhen = ({ place }: Federation, what: string, limitMs: number, is: (row: BoardRow) => boolean): Promise<BoardRow> =>
  until(what, limitMs, async () => {
    const [row] = await told<BoardRow[]>(['board', 'list'], place);
    return row !== undefined && is(row) ? row : null;
  });
