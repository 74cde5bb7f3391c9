/** What an expectation can look at: a number each, seen from outside. */
export interface ObservableRow {
  of: 'workload' | 'board' | 'gateway' | 'fault' | 'all';
  /** In which its bounds are written; without one it is counted. */
  unit?: 'permille' | 'celsius' | 'micro';
  says: string;
}

export const OBSERVABLES = {
  running: { of: 'workload', says: 'instances whose program runs' },
  green: {
    of: 'workload',
    says: 'instances whose program runs, and whose promises held by the newest word of the runtime that runs there',
  },
  served: { of: 'workload', says: 'shares that instances which run were told to serve' },
  leased: { of: 'workload', says: 'replicas that have a lease' },
  linked: { of: 'board', says: 'boards with a session that was welcomed' },
  'homed-at': { of: 'gateway', says: 'boards with such a session at this gateway' },
  powered: { of: 'board', says: 'boards that have power' },
  hung: { of: 'board', says: 'boards that have power and do nothing' },
  resets: { of: 'board', says: 'times that its watchdog started a board again' },
  system: {
    of: 'board',
    says: 'number of the system that a board was last started from, 1 for what was written to its card; of several boards the lowest',
  },
  trials: { of: 'board', says: 'starts of a system that was not kept yet' },
  outbox: { of: 'board', says: 'usage records that are not known to be replicated' },
  'card-used': { of: 'board', unit: 'permille', says: 'permille of the card; of several boards the fullest' },
  'card-refusals': { of: 'board', says: 'writes that a card did not take, since it was full or worn out' },
  'card-worn': { of: 'board', unit: 'permille', says: 'permille of its endurance; of several boards the most worn' },
  battery: { of: 'board', unit: 'permille', says: 'permille of its charge; of several boards the emptiest' },
  celsius: { of: 'board', unit: 'celsius', says: 'temperature of the processor; of several boards the hottest' },
  throttled: { of: 'board', says: 'boards that run slower because they are hot' },
  quarantined: { of: 'board', says: 'boards that any gateway keeps apart' },
  amnesia: { of: 'board', says: 'records that admit lost writes' },
  spoilt: {
    of: 'workload',
    says: 'times that a release began on /data which a newer one had written to, or which its hook had not put in order',
  },
  restarts: { of: 'workload', says: 'times that its program was started again on the same lease' },
  moves: { of: 'workload', says: 'leases after the first of a replica' },
  rehomes: { of: 'board', says: 'times that a board was welcomed by another gateway than before' },
  forks: { of: 'gateway', says: 'gateways that hold proof of two histories' },
  kept: { of: 'gateway', says: 'releases of which a gateway holds content; of several the most' },
  'content-used': { of: 'gateway', unit: 'permille', says: 'permille of what a gateway may hold of releases; of several the fullest' },
  liars: { of: 'gateway', says: 'gateways of which boards know that they gave something else for a piece, again and again' },
  fetched: { of: 'board', says: 'KiB of content that came from gateways' },
  lent: { of: 'board', says: 'KiB of content that came from others of its lan' },
  faults: { of: 'fault', says: 'faults of this kind that hit something' },
  refusals: { of: 'all', says: 'refusals that were written into a journal' },
  records: { of: 'board', says: 'usage records signed' },
  billed: { of: 'workload', unit: 'micro', says: 'micro-units charged in the end' },
} as const satisfies Record<string, ObservableRow>;

export type Observable = keyof typeof OBSERVABLES;

const isObservable = (word: string): word is Observable => Object.hasOwn(OBSERVABLES, word);
export const OBSERVABLE_WORDS: readonly Observable[] = Object.keys(OBSERVABLES).filter(isObservable);
export const observableRow = (word: Observable): ObservableRow => OBSERVABLES[word];
