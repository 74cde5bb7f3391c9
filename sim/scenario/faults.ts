/** Every fault and every deed that a scenario may name: whom it befalls, whether it lasts, and what more it takes. */

export interface FaultRow {
  on: 'board' | 'gateway' | 'workload';
  /** `span`: has a `for`; `moment`: has none; `either`: without one it is for good. */
  lasts: 'span' | 'moment' | 'either';
  /** Further words: whole numbers with a unit, or one of some words; with a default. */
  takes: Record<string, Taken>;
  says: string;
  /** It is about all boards of a kind: of those named it befalls the first of each. */
  isOfKind?: true;
}

/** `least` is 0 unless given. */
export type Taken =
  | { unit: 'count' | 'ms' | 'permille' | 'celsius' | 'ppm'; usual: number; least?: number; most?: number }
  | { words: readonly string[]; usual: string };

const YEAR_MS = 366 * 86_400_000;
/** Commits that a card which forgets can be made to forget: so many are remembered for it. */
export const LOST_COMMITS_MOST = 16;

export const FAULTS = {
  'power-cut': {
    on: 'board',
    lasts: 'span',
    takes: { write: { unit: 'count', usual: 0 } },
    says: 'the power goes; with `write: n`, in the middle of the n-th commit from then on',
  },
  'brown-out': { on: 'board', lasts: 'span', takes: {}, says: 'the voltage sags: the board restarts again and again until it is over' },
  'runtime-crash': { on: 'board', lasts: 'moment', takes: {}, says: 'the runtime ends and is started again; instances go on' },
  'runtime-hang': {
    on: 'board',
    lasts: 'span',
    takes: {},
    says: 'the runtime does nothing and says nothing, then goes on where it stood; instances go on meanwhile',
  },
  'board-hang': {
    on: 'board',
    lasts: 'either',
    takes: {},
    says: 'all of it stands still, its kernel too: until its watchdog starts it again; without one, until its power is cut, which `for` does',
  },
  'link-cut': { on: 'board', lasts: 'span', takes: {}, says: 'nothing passes in either direction' },
  'one-way': {
    on: 'board',
    lasts: 'span',
    takes: { passes: { words: ['up', 'down'], usual: 'up' } },
    says: 'only one direction passes: an asymmetric partition',
  },
  captive: { on: 'board', lasts: 'span', takes: {}, says: 'connections open and then nothing is ever heard' },
  flapping: {
    on: 'board',
    lasts: 'span',
    takes: { period: { unit: 'ms', usual: 5000, least: 100 } },
    says: 'the link goes and comes, each for this long',
  },
  late: { on: 'board', lasts: 'span', takes: { by: { unit: 'ms', usual: 8000 } }, says: 'everything arrives late' },
  duplicate: {
    on: 'board',
    lasts: 'span',
    takes: { share: { unit: 'permille', usual: 200, most: 1000 } },
    says: 'messages arrive twice; in tier b they cannot',
  },
  'lan-cut': { on: 'board', lasts: 'span', takes: {}, says: 'nothing passes between it and the others of its lan' },
  'false-neighbour': {
    on: 'board',
    lasts: 'span',
    takes: {},
    says: 'whatever others of its lan ask it for, it gives something else: a liar',
  },
  'mute-neighbour': { on: 'board', lasts: 'span', takes: {}, says: 'it is there for the others of its lan, and answers none of them' },
  'clock-jump': {
    on: 'board',
    lasts: 'moment',
    takes: { by: { unit: 'ms', usual: 86_400_000, least: -YEAR_MS, most: YEAR_MS } },
    says: 'the wall clock jumps, forth or back',
  },
  'lost-writes': {
    on: 'board',
    lasts: 'moment',
    takes: { commits: { unit: 'count', usual: 3, least: 1, most: LOST_COMMITS_MOST } },
    says: 'a power cut after which the card has forgotten its newest commits',
  },
  'bit-rot': {
    on: 'board',
    lasts: 'moment',
    takes: { files: { unit: 'count', usual: 1, least: 1 } },
    says: 'files on the card change by themselves',
  },
  'full-card': { on: 'board', lasts: 'span', takes: {}, says: 'the card has no room left' },
  'slow-card': { on: 'board', lasts: 'span', takes: { by: { unit: 'ms', usual: 2000 } }, says: 'each commit takes so much longer' },
  'cloned-card': {
    on: 'board',
    lasts: 'span',
    takes: {},
    says: 'a second board is started from a copy of the card, and both run',
  },
  heat: {
    on: 'board',
    lasts: 'span',
    takes: { ambient: { unit: 'celsius', usual: 60, least: -40, most: 85 } },
    says: 'the air around the board is this hot',
  },
  'sensor-fault': {
    on: 'board',
    lasts: 'span',
    takes: { how: { words: ['stuck', 'noisy', 'drifting', 'absent'], usual: 'absent' } },
    says: 'its sensors tell wrong values or none, which matters to workloads that read them and could tell',
  },
  'good-system': {
    on: 'board',
    lasts: 'moment',
    takes: {},
    says: 'the publisher brings a newer system for boards of its kind; each takes it when its turn comes',
    isOfKind: true,
  },
  'bad-system': {
    on: 'board',
    lasts: 'moment',
    takes: { how: { words: ['no-boot', 'hang', 'no-home'], usual: 'no-boot' } },
    says: 'the same, and it is no good: it does not start, it stands still soon after, or it finds no gateway',
    isOfKind: true,
  },
  'interrupted-system': {
    on: 'board',
    lasts: 'span',
    takes: { write: { unit: 'count', usual: 5, least: 1 } },
    says: 'a newer system, and each board of that kind loses power at the n-th change of its slots',
    isOfKind: true,
  },
  crash: { on: 'workload', lasts: 'moment', takes: {}, says: 'its instances end by themselves' },
  'bad-release': {
    on: 'workload',
    lasts: 'moment',
    takes: { how: { words: ['crash', 'leak', 'never-green', 'hook'], usual: 'never-green' } },
    says: 'the tenant asks for a newer release, which is no good',
  },
  'good-release': { on: 'workload', lasts: 'moment', takes: {}, says: 'the tenant asks for a newer release' },
  'interrupted-update': {
    on: 'workload',
    lasts: 'span',
    takes: { write: { unit: 'count', usual: 5, least: 1 } },
    says: 'a newer release, and each board that gets it loses power at its n-th write of it',
  },
  stop: { on: 'workload', lasts: 'moment', takes: {}, says: 'the tenant wants it stopped' },
  resume: { on: 'workload', lasts: 'moment', takes: {}, says: 'the tenant wants it started again' },
  bang: { on: 'workload', lasts: 'moment', takes: {}, says: 'the tenant lets all its instances begin anew' },
  'top-up': { on: 'workload', lasts: 'moment', takes: {}, says: 'the tenant pays from another voucher over as much again' },
  destroy: { on: 'workload', lasts: 'moment', takes: {}, says: 'the tenant wants it no more' },
  'gateway-kill': { on: 'gateway', lasts: 'either', takes: {}, says: 'the gateway ends; without `for`, it never comes back' },
  'gateway-cut': { on: 'gateway', lasts: 'span', takes: {}, says: 'nothing passes between it and anybody' },
  'peer-cut': { on: 'gateway', lasts: 'span', takes: {}, says: 'nothing passes between it and the other gateways' },
  'disk-loss': { on: 'gateway', lasts: 'moment', takes: {}, says: 'it starts again with its key and an empty store' },
  'old-disk': { on: 'gateway', lasts: 'moment', takes: {}, says: 'it starts again with its store as it was an hour before' },
  'slow-disk': { on: 'gateway', lasts: 'span', takes: { by: { unit: 'ms', usual: 1000 } }, says: 'each commit takes so much longer' },
  'gateway-clock-jump': {
    on: 'gateway',
    lasts: 'moment',
    takes: { by: { unit: 'ms', usual: 3_600_000, least: -YEAR_MS, most: YEAR_MS } },
    says: 'the wall clock of the gateway jumps, forth or back',
  },
  'close-period': { on: 'gateway', lasts: 'moment', takes: {}, says: 'its operator closes the billing period there' },
  'rotten-content': {
    on: 'gateway',
    lasts: 'moment',
    takes: { share: { unit: 'permille', usual: 200, most: 1000 } },
    says: 'so much of the pages and chunks on its disk change by themselves',
  },
  'false-content': {
    on: 'gateway',
    lasts: 'span',
    takes: {},
    says: 'whatever content a board asks it for, it gives something else: a liar',
  },
  'forked-log': { on: 'gateway', lasts: 'moment', takes: {}, says: 'it tells two peers two histories: a liar' },
} as const satisfies Record<string, FaultRow>;

export type FaultKind = keyof typeof FAULTS;

const isFaultKind = (kind: string): kind is FaultKind => Object.hasOwn(FAULTS, kind);
export const FAULT_KINDS: readonly FaultKind[] = Object.keys(FAULTS).filter(isFaultKind);
export const faultRow = (kind: FaultKind): FaultRow => FAULTS[kind];
