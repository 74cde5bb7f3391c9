/** The main job's figures: how big and how heavy the runtime is, how soon a request is green, how soon a board has a new home. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeRequest } from '../../gateway/cli/ceremony.ts';
import { openPush, type Push } from '../../gateway/cli/mqtt-push.ts';
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { type BoardId, idFrom } from '../../runtime/protocol/ids.ts';
import { rssBytesOf } from '../../sim/harness/kernel.ts';
import { freePorts } from '../../sim/harness/ports.ts';
import { pause, until } from '../../sim/harness/wait.ts';
import { curtain } from '../../sim/story/curtain.ts';
import { awaitPromises, openGateways, pairBoards, pushSoftware } from '../../sim/story/open.ts';
import { homeOf, instances, openStage, type Stage } from '../../sim/story/stage.ts';
import { openTeller } from '../../sim/story/tell.ts';
import { type Measure, median } from './measure.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const RUNS = 7;
const LIMIT_MS = 30_000;

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const asked = request({ host: '127.0.0.1', port, timeout: 500 }, (response) => resolve(response.resume().statusCode === 200));
    asked.on('error', () => resolve(false)).end();
  });

/** The floor: a bare process that serves, from spawn to the first 200. */
const bareServer = async (): Promise<number> => {
  const [port = 0] = await freePorts(1);
  const started = performance.now();
  const child = spawn(process.execPath, ['-e', `require('http').createServer((q, r) => r.end('ok')).listen(${port}, '127.0.0.1')`], {
    stdio: 'ignore',
  });
  try {
    while (!(await answers(port))) await pause(2);
    return performance.now() - started;
  } finally {
    child.kill('SIGKILL');
  }
};

const bareRss = async (): Promise<number> => {
  const child = spawn(process.execPath, ['--max-semi-space-size=1', '-e', 'setInterval(() => {}, 1000)'], {
    stdio: 'ignore',
    env: { ...process.env, MALLOC_ARENA_MAX: '1' },
  });
  try {
    await pause(1000);
    return rssBytesOf(child.pid ?? 0);
  } finally {
    child.kill('SIGKILL');
  }
};

/** From the gateway's "accepted" to the promise held, as the API shows it; the release is on the boards already. */
const requestToGreen = async (stage: Stage, door: Push, run: number, board: BoardId): Promise<number> => {
  const terms = stage.requests.get('primes');
  if (terms === undefined) throw new Error('primes was not requested');
  const name = `bench-${run}`;
  const push = async (sequence: number, state: 'started' | 'destroyed'): Promise<void> => {
    const { ok, why } = await door.push(
      makeRequest(nodeCrypto, stage.cast.tenant.signer, {
        ...terms,
        name,
        sequence,
        state,
        parameters: { limit: '1000' },
        filter: { board },
      }).document,
    );
    if (!ok) throw new Error(why);
  };
  await push(1, 'started');
  const accepted = performance.now();
  for (;;) {
    const seen = (await instances(stage)).find((instance) => instance.name === name);
    if (seen?.report?.promise === 'held') break;
    if (performance.now() - accepted > LIMIT_MS) throw new Error(`${name} did not turn green`);
    await pause(5);
  }
  const took = performance.now() - accepted;
  await push(2, 'destroyed');
  await until(`${name} to be gone`, LIMIT_MS, async () => (await instances(stage)).every((instance) => instance.name !== name));
  return took;
};

/** Seconds from SIGKILL of a gateway to the last of its boards being in session elsewhere. */
const rehome = async (stage: Stage): Promise<number> => {
  const [north, ...rest] = stage.gateways;
  const orphans: string[] = [];
  for (const { board } of stage.cast.boards) if ((await homeOf(stage, board))?.name === north?.name) orphans.push(board);
  if (north === undefined || orphans.length === 0) throw new Error('no board is at home in the north');
  await north.process.kill('SIGKILL');
  const killed = performance.now();
  stage.gateways = rest;
  for (const board of orphans) await until('a new home', LIMIT_MS, () => homeOf(stage, board));
  return (performance.now() - killed) / 1000;
};

const measureFleet = async (stage: Stage): Promise<{ green: number[]; rss: number; rehomeSeconds: number }> => {
  await openGateways(stage, join(ROOT, 'gateway', 'lichen.ts'));
  await pairBoards(stage, null);
  await pushSoftware(stage, ROOT);
  const running = await awaitPromises(stage);
  const rss = median([...stage.boards.values()].map(({ process }) => rssBytesOf(process.pid)));
  const [north] = stage.gateways;
  if (north === undefined) throw new Error('no gateway');
  const { tenant, tenantId } = stage.cast;
  const door = await openPush({
    address: north.address,
    gatewayKey: north.key,
    tenant: tenantId,
    seed: tenant.seed,
    timeoutMs: 10_000,
    suffix: 'bench',
  });
  const green: number[] = [];
  const holder = running.find(({ name }) => name === 'primes');
  if (holder === undefined) throw new Error('primes does not run');
  for (let run = 0; run < RUNS; run++) green.push(await requestToGreen(stage, door, run, idFrom<BoardId>(holder.board)));
  door.close();
  return { green, rss, rehomeSeconds: await rehome(stage) };
};

export const measure: Measure = async () => {
  const dir = mkdtempSync(join(tmpdir(), 'lichen-bench-'));
  const runtime = join(ROOT, 'dist', 'lichen-runtime.mjs');
  const stage = await openStage(dir, runtime, openTeller(true, performance.now()));
  try {
    const fleet = await measureFleet(stage);
    const floor: number[] = [];
    for (let run = 0; run < RUNS; run++) floor.push(await bareServer());
    return [
      { metric: 'runtime_bundle_bytes', value: statSync(runtime).size, unit: 'bytes', peer: null, peerValue: null },
      { metric: 'runtime_rss_mb', value: fleet.rss / 1e6, unit: 'MB', peer: 'bare node', peerValue: (await bareRss()) / 1e6 },
      {
        metric: 'request_to_green_ms',
        value: median(fleet.green),
        unit: 'ms',
        peer: 'a bare node http server, spawn to first 200',
        peerValue: median(floor),
      },
      { metric: 'rehome_s', value: fleet.rehomeSeconds, unit: 's', peer: null, peerValue: null },
    ];
  } finally {
    await curtain(stage);
    rmSync(dir, { recursive: true, force: true });
  }
};
