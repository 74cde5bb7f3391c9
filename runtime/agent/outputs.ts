/** What an instance says of itself: how it is reached, and that it would not be replaced just now. */
import { type Instance, instances, looks, manifests, type Run, runs } from '../core/tables.ts';
import { asLichenError } from '../protocol/errors.ts';
import { checkConnection } from '../protocol/parameters.ts';
import type { Instant } from '../turn/clock.ts';
import type { Handler, Of, Work } from './events.ts';
import { partsSoon } from './parting.ts';

/** Often while somebody waits for it, else now and then. */
const SOON_MS = 1_000;
const SELDOM_MS = 10_000;
/** A program that has not said by then how it is reached is not waited for. */
const YOUNG_MS = 60_000;

const everyMs = (work: Work, { supersededMonoMs }: Instance, { connection, unfit, startedMonoMs }: Run, now: Instant): number => {
  const isAwaited = connection === null && unfit === '' && now.monoMs - startedMonoMs < YOUNG_MS;
  return supersededMonoMs !== null || isAwaited || partsSoon(work) ? SOON_MS : SELDOM_MS;
};

/** Of a release that declares neither there is nothing to look at. */
const saysAnything = (work: Work, id: string, { supersededMonoMs }: Instance): boolean => {
  const manifest = manifests.get(work, id);
  const isAsked = supersededMonoMs !== null || partsSoon(work);
  return manifest?.connectionSchema !== undefined || (isAsked && (manifest?.holdMs ?? 0) > 0);
};

const looked = (work: Work): { id: string; instance: Instance; run: Run }[] =>
  runs.all(work).flatMap(({ key: id, value: run }) => {
    const instance = run.process === 'running' ? instances.get(work, id) : null;
    return instance === null || !saysAnything(work, id, instance) ? [] : [{ id, instance, run }];
  });

/** One look at a time per instance. */
export const tickLooks = (work: Work, now: Instant): void => {
  for (const { id, instance, run } of looked(work)) {
    const look = looks.get(work, id);
    const isAsked = (instance.supersededMonoMs !== null || partsSoon(work)) && run.holds === null;
    if (look?.busy === true || (!isAsked && now.monoMs < (look?.dueMonoMs ?? 0))) continue;
    looks.put(work, { busy: true, dueMonoMs: now.monoMs + everyMs(work, instance, run, now) }, id);
    work.emit({ kind: 'partition', step: { kind: 'look', partition: id } });
  }
};

/** At which `tickLooks` may do what it would not do before. */
export const lookMoments = (work: Work): number[] =>
  looked(work).flatMap(({ id }) => (looks.get(work, id)?.busy === true ? [] : [looks.get(work, id)?.dueMonoMs ?? 0]));

const saw = (work: Work, id: string): void => {
  const look = looks.get(work, id);
  if (look !== null) looks.put(work, { ...look, busy: false }, id);
};

/** Who cannot be asked holds nothing off. */
export const unlooked = (work: Work, id: string): void => {
  saw(work, id);
  const run = runs.get(work, id);
  if (run !== null && run.holds !== false) runs.put(work, { ...run, holds: false }, id);
};

const told = (work: Work, id: string, connection: string | null): Pick<Run, 'connection' | 'unfit'> => {
  const manifest = manifests.get(work, id);
  if (connection === null || manifest?.connectionSchema === undefined) return { connection: null, unfit: '' };
  try {
    return { connection: checkConnection(manifest, connection), unfit: '' };
  } catch (thrown) {
    const error = asLichenError(thrown);
    if (error.code === 'internal') throw thrown;
    return { connection: null, unfit: error.message };
  }
};

export const lookedAt: Handler<Of<'looked'>> = (work, _board, event, _now) => {
  const { partition: id, holds } = event;
  saw(work, id);
  const run = runs.get(work, id);
  if (run === null) return looks.remove(work, id);
  const next = { ...told(work, id, event.connection), holds };
  if (next.unfit !== '' && next.unfit !== run.unfit) work.emit({ kind: 'journal', line: `instance ${id}: ${next.unfit}` });
  if (next.connection !== run.connection || next.unfit !== run.unfit || next.holds !== run.holds) runs.put(work, { ...run, ...next }, id);
};
