/**
 * The loop that board and gateway share: gather → decide → commit → release.
 *
 * All events that are there when a turn begins are decided one after the other upon one snapshot, each seeing what
 * the ones before it wrote, and committed together (group commit). Effects leave only once the store has answered
 * `committed`; on `conflict` the decisions are thrown away and made again. Nothing else changes state.
 */
import { asLichenError, LichenError } from '../protocol/errors.ts';
import type { Clock, Instant } from './clock.ts';
import { Draft, type Memory, Unread } from './draft.ts';
import type { Query, Snapshot, Store } from './store.ts';

export interface Core<Event, Effect> {
  /** Pure and synchronous. A `LichenError` thrown refuses this event alone. */
  decide(draft: Draft<Effect>, event: Event, now: Instant): void;
  /** What a refusal means to whoever sent the event; may write and emit as `decide` does. */
  refused(draft: Draft<Effect>, event: Event, error: LichenError, now: Instant): void;
  /** Once a turn, after its last event: what follows from all of them together (heads, plans, what to send). */
  conclude(draft: Draft<Effect>, now: Instant): void;
}

export interface TurnDoors<Event, Effect> {
  store: Store;
  clock: Clock;
  core: Core<Event, Effect>;
  /** Carries out one effect; must not throw. */
  release(effect: Effect): void;
  owner: string;
  /** Events of one commit at most. */
  batch: number;
  /** A conflict that never ends is another owner's doing. */
  conflictsMax: number;
  /** Called when the store fails for good (full, broken): what was not committed was not acknowledged either. */
  failed(error: LichenError, events: Event[]): void;
  /** Called with an event that could not even be refused, or that nothing could be concluded from. Nothing of it was kept, all else was. */
  defect(thrown: unknown, event: Event): void;
}

export interface Turn<Event> {
  submit(event: Event): void;
  /** No event waits and no commit is under way. */
  idle(): boolean;
}

export const startTurn = <Event, Effect>(doors: TurnDoors<Event, Effect>): Turn<Event> => {
  const { store, clock, core, owner } = doors;
  const memory: Memory = new Map();
  const inbox: Event[] = [];
  /** Each in a turn of its own, before the others. */
  let apart: Event[] = [];
  let busy = false;
  let scheduled = false;

  const decideOne = (draft: Draft<Effect>, event: Event, now: Instant): void => {
    try {
      core.decide(draft, event, now);
    } catch (thrown) {
      if (thrown instanceof Unread) throw thrown;
      draft.discard();
      core.refused(draft, event, asLichenError(thrown), now);
    }
    draft.keep();
  };

  /** Null when something had to be fetched first; the turn goes on by itself then. */
  const decideAll = (snapshot: Snapshot, events: Event[], now: Instant): Draft<Effect> | Query => {
    const draft = new Draft<Effect>(snapshot, memory);
    try {
      for (const event of events) decideOne(draft, event, now);
      core.conclude(draft, now);
      draft.keep();
      return draft;
    } catch (thrown) {
      draft.abandon();
      if (thrown instanceof Unread) return thrown.query;
      throw thrown;
    }
  };

  const isIdle = (): boolean => !busy && inbox.length + apart.length === 0;

  const finish = (): void => {
    busy = false;
    if (!isIdle()) schedule();
  };

  /** Whichever of them nobody was prepared for takes no other with it. */
  const takeApart = (events: Event[], thrown: unknown): void => {
    const [only] = events;
    if (events.length > 1) apart = [...events, ...apart];
    finish();
    if (events.length === 1 && only !== undefined) doors.defect(thrown, only);
  };

  const settle = (decided: Draft<Effect>): void => {
    for (const effect of decided.effects) doors.release(effect);
    finish();
  };

  const run = (snapshot: Snapshot, events: Event[], attempt: number): void => {
    let decided: Draft<Effect> | Query;
    try {
      decided = decideAll(snapshot, events, clock.now());
    } catch (thrown) {
      return takeApart(events, thrown);
    }
    if (!(decided instanceof Draft)) {
      snapshot.fetch([decided], () => run(snapshot, events, attempt));
      return;
    }
    if (!decided.hasRows()) return settle(decided);
    store.commit(decided.toCommit(owner), (outcome) => {
      if (outcome.kind === 'committed') return settle(decided);
      decided.abandon();
      if (outcome.kind === 'conflict' && attempt < doors.conflictsMax) run(store.snapshot(), events, attempt + 1);
      else {
        doors.failed(outcome.kind === 'failed' ? outcome.error : new LichenError('conflict', 'another owner writes to this store'), events);
        finish();
      }
    });
  };

  const begin = (): void => {
    scheduled = false;
    if (isIdle() || busy) return;
    busy = true;
    const from = apart.length > 0 ? apart : inbox;
    const events = from.splice(0, from === apart ? 1 : doors.batch);
    run(store.snapshot(), events, 0);
  };

  const schedule = (): void => {
    if (scheduled || busy) return;
    scheduled = true;
    clock.soon(begin);
  };

  return {
    submit: (event) => {
      inbox.push(event);
      schedule();
    },
    idle: isIdle,
  };
};
