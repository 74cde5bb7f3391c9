/** Act 5: a link is cut, a gateway dies for good, a runtime is killed; nothing that was promised is lost. */
import { startBoard } from '../harness/board.ts';
import { cpuMicrosOf, processesOf, threadNanosOf } from '../harness/kernel.ts';
import { until } from '../harness/wait.ts';
import { boardsOf, homeOf, type Instance, instances, nameOfBoard, type Stage } from './stage.ts';

export interface Trouble {
  offlineSeconds: number;
  rehomeSeconds: number;
}

const seconds = (since: number): number => Math.round((performance.now() - since) / 10) / 100;

const boardNamed = (stage: Stage, name: string) => {
  const cast = stage.cast.boards.find((board) => board.name === name);
  const on = cast === undefined ? undefined : stage.boards.get(cast.board);
  if (cast === undefined || on === undefined) throw new Error(`no board ${name}`);
  return { ...cast, on };
};

const cutLink = async (stage: Stage, name: string): Promise<number> => {
  const { board } = boardNamed(stage, name);
  stage.link.cut();
  const since = performance.now();
  stage.teller.say(`the link of ${name} is cut`);
  await until(`the gateways to notice that ${name} is away`, 20_000, async () => (await homeOf(stage, board)) === null);
  return since;
};

/** SIGKILL, and it stays dead. */
const killNorth = async (stage: Stage): Promise<number> => {
  const [north, ...rest] = stage.gateways;
  await north?.process.kill('SIGKILL');
  stage.gateways = rest;
  stage.teller.say(`gateway north is killed with SIGKILL and stays dead; ${rest.map(({ name }) => name).join(' and ')} go on`);
  return performance.now();
};

const awaitRehomed = async (stage: Stage, name: string, since: number): Promise<number> => {
  const { board } = boardNamed(stage, name);
  const home = await until(`board ${name} to find a new home`, 30_000, () => homeOf(stage, board));
  const took = seconds(since);
  stage.teller.check(true, `board ${name} went from north to ${home.name} in ${took} s`);
  return took;
};

/** The two that started first: the reaper and what it started. */
const oldest = (processes: string[]): string[] =>
  [...processes].sort((a, b) => Number(a.split('@')[1]) - Number(b.split('@')[1])).slice(0, 2);

/** The runtime dies, its instances do not: the same processes, counting on, before and after. */
const killRuntime = async (stage: Stage, name: string, running: Instance[]): Promise<void> => {
  const { board, on } = boardNamed(stage, name);
  const leases = running.filter((instance) => instance.board === board).map(({ lease }) => lease);
  // A workload's helpers may end by themselves meanwhile; its reaper and its first process may not.
  const first = leases.flatMap((lease) => oldest(processesOf(lease)));
  await on.process.kill('SIGKILL');
  stage.teller.say(`the runtime of ${name} is killed with ${leases.length} instance(s) running`);
  const during = leases.flatMap(processesOf);
  const process = startBoard(stage.runtime, on.setup);
  stage.boards.set(board, { ...on, process });
  const home = await until(`board ${name} to be back`, 30_000, () => homeOf(stage, board));
  await until(`promises on ${name}`, 30_000, async () =>
    (await instances(stage)).filter((instance) => instance.board === board).every(({ report }) => report?.promise === 'held'),
  );
  const after = leases.flatMap(processesOf);
  const survived = first.filter((process) => during.includes(process) && after.includes(process));
  stage.teller.check(
    first.length > 0 && survived.length === first.length,
    `${name} is back at ${home.name}; its instances never stopped: reaper and first process are the same`,
  );
};

/** By the count that is billed where it is finer than a clock tick; an instance that has done its work may fill none for a minute. */
const countsOn = async (stage: Stage, name: string, running: Instance[]): Promise<void> => {
  const { board } = boardNamed(stage, name);
  const lease = running.find((instance) => instance.board === board)?.lease;
  if (lease === undefined) throw new Error(`no instance on ${name}`);
  const [micros, threads] = [cpuMicrosOf(lease), threadNanosOf(lease)];
  const hasRun = (): boolean =>
    micros !== null &&
    ((cpuMicrosOf(lease) ?? 0n) > micros || [...threadNanosOf(lease)].some(([thread, nanos]) => nanos > (threads.get(thread) ?? nanos)));
  const grown = await until('its instance to use CPU while cut off', 15_000, hasRun);
  stage.teller.check(grown, `${name} is cut off, and its instance goes on using CPU by the kernel's count`);
};

const awaitSettled = async (stage: Stage, name: string): Promise<void> => {
  const { board } = boardNamed(stage, name);
  const settledTo = async (): Promise<number> =>
    Math.max(0, ...(await Promise.all(stage.gateways.map(boardsOf))).flat().map((row) => (row.board === board ? row.usage.seq : 0)));
  const before = await settledTo();
  stage.link.mend();
  const home = await until(`board ${name} to come back`, 30_000, () => homeOf(stage, board));
  // Records are written every two seconds, so a cut of eight or more leaves at least three in the outbox.
  const after = await until('what it buffered to be settled', 20_000, async () => {
    const seq = await settledTo();
    return seq - before >= BUFFERED_MIN ? seq : null;
  });
  stage.teller.check(true, `the link of ${name} is mended; it settles with ${home.name} the ${after - before} records it had buffered`);
};

const BUFFERED_MIN = 3;
/** How long the cut lasts at least: several records are written with nobody to take them. */
const OFFLINE_MIN_MS = 8_000;

export const playTrouble = async (stage: Stage, running: Instance[]): Promise<Trouble> => {
  const cutAt = await cutLink(stage, 'beech');
  await countsOn(stage, 'beech', running);
  const killedAt = await killNorth(stage);
  const rehomeSeconds = await awaitRehomed(stage, 'ash', killedAt);
  // It was paired by the gateway that is dead now: a board needs that one only once.
  await killRuntime(stage, 'ash', running);
  await until('the cut to have lasted', OFFLINE_MIN_MS + 1000, () => performance.now() - cutAt > OFFLINE_MIN_MS);
  await awaitSettled(stage, 'beech');
  const offlineSeconds = seconds(cutAt);
  await until('south and east to know all three homes', 20_000, async () => {
    const views = await Promise.all(stage.gateways.map(boardsOf));
    return views.every(
      (rows) =>
        rows.length === 3 &&
        rows.every(({ here, home }) => here && home !== null && stage.gateways.some(({ gateway }) => gateway === home.gateway)),
    );
  });
  const homes = await Promise.all(
    stage.cast.boards.map(async ({ board }) => `${nameOfBoard(stage, board)} at ${(await homeOf(stage, board))?.name ?? '?'}`),
  );
  stage.teller.say(`homes now: ${homes.join(', ')}`);
  return { offlineSeconds, rehomeSeconds };
};
