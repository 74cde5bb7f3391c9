/** What an instance says of itself: how it is reached, and that it would not be replaced just now. */
import { hookOf } from '../core/hooks.ts';
import { type Instance, instances, looks, manifests, type Run, runs, servings } from '../core/tables.ts';
import { asLichenError } from '../protocol/errors.ts';
import { checkConnection } from '../protocol/parameters.ts';
import { saidTo } from '../protocol/shares.ts';
import type { Instant } from '../turn/clock.ts';
import type { Handler, Of, Work } from './events.ts';
import { partsSoon } from './parting.ts';

/** Often while somebody waits for it, else now and then. */
const SOON_MS = 1_000;
const SELDOM_MS = 10_000;
/** A program that has not said by then how it is reached is not waited for. */
const YOUNG_MS = 60_000;

const everyMs = (work: Work, id: string, { supersededMonoMs }: Instance, run: Run, now: Instant): number => {
  const isYoung = (sinceMonoMs: number): boolean => now.monoMs - sinceMonoMs < YOUNG_MS;
  const isSilent = run.connection === null && run.unfit === '' && isYoung(run.startedMonoMs);
  const serving = servings.get(work, id);
  const isSilentTo = (share: string): boolean => (run.said.get(share)?.connection ?? null) === null;
  const isSilentToSome = serving !== null && isYoung(serving.sinceMonoMs) && serving.served.some(isSilentTo);
  return supersededMonoMs !== null || partsSoon(work) || isSilent || isSilentToSome ? SOON_MS : SELDOM_MS;
};

/** Of a release that declares neither there is nothing to look at. */
const saysAnything = (work: Work, id: string, { supersededMonoMs }: Instance): boolean => {
  const manifest = manifests.get(work, id);
  const publishes = manifest?.connectionSchema !== undefined || manifest?.shares?.connectionSchema !== undefined;
  const isAsked = supersededMonoMs !== null || partsSoon(work);
  return publishes || (isAsked && (manifest?.holdMs ?? 0) > 0);
};

const looked = (work: Work): { id: string; instance: Instance; run: Run }[] =>
  runs.all(work).flatMap(({ key: id, value: run }) => {
    const instance = run.process === 'running' ? instances.get(work, id) : null;
    return instance === null || hookOf(instance) !== null || !saysAnything(work, id, instance) ? [] : [{ id, instance, run }];
  });

/** One look at a time per instance. */
export const tickLooks = (work: Work, now: Instant): void => {
  for (const { id, instance, run } of looked(work)) {
    const look = looks.get(work, id);
    const isAsked = (instance.supersededMonoMs !== null || partsSoon(work)) && run.holds === null;
    if (look?.busy === true || (!isAsked && now.monoMs < (look?.dueMonoMs ?? 0))) continue;
    looks.put(work, { busy: true, dueMonoMs: now.monoMs + everyMs(work, id, instance, run, now) }, id);
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

type Told = Pick<Run, 'connection' | 'said' | 'unfit'>;

const orUnfit = <T extends Partial<Told>>(read: () => T, otherwise: T): T & { unfit: string } => {
  try {
    return { ...read(), unfit: '' };
  } catch (thrown) {
    const error = asLichenError(thrown);
    if (error.code === 'internal') throw thrown;
    return { ...otherwise, unfit: error.message };
  }
};

const told = (work: Work, id: string, event: Of<'looked'>): Told => {
  const manifest = manifests.get(work, id);
  const served = servings.get(work, id)?.served ?? [];
  const connection = orUnfit(
    () => ({
      connection:
        event.connection === null || manifest?.connectionSchema === undefined ? null : checkConnection(manifest, event.connection),
    }),
    { connection: null },
  );
  const said = orUnfit(() => ({ said: manifest === null ? new Map() : saidTo(manifest, served, event.shares) }), { said: new Map() });
  return { ...connection, ...said, unfit: connection.unfit === '' ? said.unfit : connection.unfit };
};

const isSame = (a: Told, b: Told): boolean =>
  a.connection === b.connection &&
  a.unfit === b.unfit &&
  a.said.size === b.said.size &&
  [...a.said].every(([share, { connection, detail }]) => {
    const other = b.said.get(share);
    return other?.connection === connection && other.detail === detail;
  });

export const lookedAt: Handler<Of<'looked'>> = (work, _board, event, _now) => {
  const { partition: id, holds } = event;
  saw(work, id);
  const run = runs.get(work, id);
  if (run === null) return looks.remove(work, id);
  const next = { ...told(work, id, event), holds };
  if (next.unfit !== '' && next.unfit !== run.unfit) work.emit({ kind: 'journal', line: `instance ${id}: ${next.unfit}` });
  if (!isSame(next, run) || next.holds !== run.holds) runs.put(work, { ...run, ...next }, id);
};
