/**
 * One guard of the real code switched off at a time, to show that the judge can fail. `find` stands exactly once in its
 * file; a mutant whose line has changed is stale and says so. `caughtAs`: the findings of which one must come of it.
 */
import type { Code } from '../../../sim/oracle/codes.ts';
import type { Patch } from '../../support/patched.ts';

/** One expectation of the world of the hunt, as a report words it: that another one is not met is not what a mutant is caught by. */
export const expected = <Says extends string>(says: Says): `expected: ${Says}` => `expected: ${says}`;

export interface Mutant extends Patch {
  name: string;
  /** The scenario in which it is hunted, unless it is `HUNT`. */
  world?: string;
  caughtAs: (Code | `expected: ${string}`)[];
}

/** Where most of them are. */
export const HUNT = 'hunt.yaml';

/** Where what must never run in two places runs. */
export const STOP = 'hunt-stop.yaml';

/** Where releases are on trial and come in waves. */
export const UPDATE = 'hunt-update.yaml';

/** Where releases have hooks, and the power goes meanwhile. */
export const HOOKS = 'hunt-hooks.yaml';

/** Where content rots at gateways, and one of them lies. */
export const CONTENT = 'hunt-content.yaml';

/** Where boards of one network give content to each other. */
export const LAN = 'hunt-lan.yaml';

/** Where boards' systems come in waves, good ones and bad ones. */
export const SYSTEM = 'hunt-system.yaml';

/** Where a gateway that its peers do not hear gives leases, and is gone. */
export const ALONE = 'hunt-alone.yaml';

/** Where gateways have much to tell each other. */
export const PEERS = 'hunt-peers.yaml';

/**
 * Not here, as this judge or this world does not show them: a request that is stopped and run all the same; a gateway that
 * takes records beyond a gap (boards send none of which the rest is not on two disks); `over-offered` (every virtual kernel
 * enforces all there is, so none can be lied about); and guards against forged documents, which no virtual gateway sends:
 * those have negative tests of their own (test/outside, test/runtime/core/trust.test.ts).
 */
export const MUTANTS: Mutant[] = [
  {
    name: 'acks leave before they are durable',
    file: 'runtime/turn/turn.ts',
    find: '    if (!decided.hasRows()) return settle(decided);\n',
    replace: '    if (!decided.hasRows()) return settle(decided);\n    for (const effect of decided.effects) doors.release(effect);\n',
    caughtAs: ['acked-not-stored', 'acked-not-replicated', 'began-unrecorded', 'chain-broken'],
  },
  {
    name: 'what is stored here counts as replicated',
    file: 'gateway/service/acknowledge.ts',
    find: 'stored: usageHead(work, board), replicated }',
    replace: 'stored: usageHead(work, board), replicated: usageHead(work, board).seq }',
    caughtAs: ['acked-not-replicated'],
  },
  {
    name: 'the board prunes what is only stored',
    file: 'runtime/agent/session.ts',
    find: 'const replicated = Math.min(value.replicated, stored, chain.end.seq);',
    replace: 'const replicated = Math.min(stored, chain.end.seq);',
    caughtAs: ['pruned-too-early'],
  },
  {
    name: 'programs begin without a zero record',
    file: 'runtime/core/plan.ts',
    find: "  if (!instance.opened) return 'open';\n",
    replace: '',
    caughtAs: ['began-unrecorded', 'usage-lost'],
  },
  {
    name: 'records do not name the one before',
    file: 'runtime/agent/metering.ts',
    find: '    prev: chain.end.hash,\n',
    replace: '    prev: new Uint8Array(32),\n',
    caughtAs: ['chain-broken', 'usage-lost'],
  },
  {
    name: 'a repeated record is a fork',
    file: 'gateway/core/place-usage.ts',
    find: "!== null) return 'repeat';",
    replace: "!== null) refuse('fork', 'repeated');",
    caughtAs: [expected('always: quarantined at most 0')],
  },
  {
    name: 'a board that forgot records gives their numbers to others',
    file: 'runtime/agent/chain.ts',
    find: 'const leapt = chain.end.seq + LEAP + below(board.entropy, LEAP_SPREAD);',
    replace: 'const leapt = chain.next;',
    caughtAs: [expected('always: quarantined at most 0'), 'usage-lost'],
  },
  {
    name: 'counters are billed as they stand and not as they grew',
    file: 'gateway/core/rating.ts',
    find: 'const used = minus(registers, last.doc.value.registers);',
    replace: 'const used = registers;',
    caughtAs: ['billed-more', 'billed-twice'],
  },
  {
    name: 'counters of a new cgroup do not stand on the old ones',
    file: 'runtime/agent/metering.ts',
    find: 'instances.put(work, { ...instance, registers, base: registers, bootId',
    replace: 'instances.put(work, { ...instance, registers, bootId',
    caughtAs: ['usage-lost', 'billed-more'],
  },
  {
    name: 'each look at the counters adds all of them again',
    file: 'runtime/core/meter.ts',
    find: 'cpuMicros: atLeast(base.cpuMicros + sample.cpuMicros, meter.cpuMicros),',
    replace: 'cpuMicros: atLeast(meter.cpuMicros + sample.cpuMicros, meter.cpuMicros),',
    caughtAs: ['billed-more'],
  },
  {
    name: 'time that was not granted is charged',
    file: 'runtime/core/meter.ts',
    find: 'const elapsed = running ? BigInt(Math.max(0, Math.round(monoMs - meter.atMonoMs))) : 0n;',
    replace: 'const elapsed = BigInt(Math.max(0, Math.round(monoMs - meter.atMonoMs)));',
    caughtAs: ['billed-more'],
  },
  {
    name: 'the last counters are not read',
    file: 'runtime/agent/lifecycle.ts',
    find: "  take(work, board, event.partition, event.counters, { ...now, monoMs }, before?.process === 'stopping');\n",
    replace: '',
    caughtAs: ['usage-lost'],
  },
  {
    name: 'a new lease has the term of the one before',
    file: 'gateway/core/contract.ts',
    find: 'const term = (before?.doc.term ?? 0) + 1;',
    replace: 'const term = before?.doc.term ?? 1;',
    caughtAs: ['term-twice'],
  },
  {
    name: 'a period charges again what a former one charged',
    file: 'gateway/core/rating.ts',
    find: '    meter.slices = [];\n',
    replace: '',
    caughtAs: ['billed-more', 'billed-twice', 'wrong-price'],
  },
  {
    name: 'records of a former period are news',
    file: 'gateway/core/chain.ts',
    find: '    if (chain.links.has(doc.name)) continue;\n',
    replace: '',
    caughtAs: ['billed-twice', 'usage-lost'],
  },
  {
    name: 'what runs is green before its promises hold',
    file: 'runtime/agent/promises.ts',
    find: 'if (states.every(({ held }) => held === true))',
    replace: 'if (states.length > 0)',
    caughtAs: [expected('always: green of hopeless at most 0')],
  },
  {
    name: 'overlap is charged',
    file: 'gateway/core/rating.ts',
    find: 'const doubled = slice.toMs > cutoffMs || taken.some((span) => overlaps(span, slice));',
    replace: 'const doubled = false;',
    caughtAs: ['overlap-charged'],
  },
  {
    name: 'rounding is nobody’s',
    file: 'gateway/core/rating.ts',
    find: 'roundingMicro: debitMicro - creditMicro - feeMicro }',
    replace: 'roundingMicro: 0n }',
    caughtAs: ['not-zero-sum'],
  },
  {
    name: 'half of the fee is nobody’s',
    file: 'gateway/core/rating.ts',
    find: 'const feeMicro = (debitMicro * BigInt(feePermille)) / 1000n;',
    replace: 'const feeMicro = (debitMicro * BigInt(feePermille)) / 2000n;',
    caughtAs: ['not-zero-sum', 'wrong-price'],
  },
  {
    name: 'a restarted runtime adopts nothing',
    file: 'runtime/agent/lifecycle.ts',
    find: "const running = alive.running && run.over === '';",
    replace: 'const running = false;',
    caughtAs: ['stopped-without-reason'],
  },
  {
    name: 'nothing is started again after a power cut',
    file: 'runtime/agent/lifecycle.ts',
    find: "      runs.put(work, freshRun('none'), id);\n",
    replace: "      runs.put(work, freshRun('unknown'), id);\n",
    caughtAs: ['not-restarted'],
  },
  {
    name: 'a board dials its first home only',
    file: 'runtime/agent/session.ts',
    find: 'const gateway = candidates[link.attempt % Math.max(1, candidates.length)];',
    replace: 'const gateway = candidates[0];',
    caughtAs: ['not-rehomed'],
  },
  {
    name: 'events that met a full store are lost',
    file: 'runtime/agent/retell.ts',
    find: "event.kind !== 'tick' &&",
    replace: "event.kind === 'boot' &&",
    caughtAs: ['not-restarted', 'usage-lost', 'stopped-without-reason', 'billed-more'],
  },
  {
    name: 'arguments of a program are not those of its release',
    file: 'runtime/agent/given.ts',
    find: 'partition: lease.lease, rootPath, args, env,',
    replace: "partition: lease.lease, rootPath, args: [...args, '--more'], env,",
    caughtAs: ['ran-other-release', 'ran-unrequested', 'ran-unsigned'],
  },
  {
    name: 'a grant counts from its arrival',
    file: 'runtime/agent/renewal.ts',
    find: '.set(grant.guardian, Math.max(atMonoMs, held?.asked',
    replace: '.set(grant.guardian, Math.max(now.monoMs, held?.asked',
    world: STOP,
    caughtAs: ['overlap-stop', 'ran-unguarded'],
  },
  {
    name: 'a lease goes by the wall clock of its board',
    file: 'runtime/agent/renewal.ts',
    find: 'const steadyMs = (now: Instant): number => now.monoMs;',
    replace: 'const steadyMs = (now: Instant): number => now.wallMs;',
    world: STOP,
    caughtAs: ['overlap-stop', 'ran-unguarded'],
  },
  {
    name: 'a guardian goes by its wall clock',
    file: 'gateway/core/grants.ts',
    find: 'const steadyMs = (now: Instant): number => now.monoMs;',
    replace: 'const steadyMs = (now: Instant): number => now.wallMs;',
    world: STOP,
    caughtAs: ['overlap-stop'],
  },
  {
    name: 'a guardian forgets with its process for how long it granted',
    file: 'gateway/core/grants.ts',
    find: 'return untilMs ?? beganMs + outlivesMs(last.leaseMs);',
    replace: 'return untilMs ?? beganMs;',
    world: STOP,
    caughtAs: ['overlap-stop'],
  },
  {
    name: 'one guardian is enough',
    file: 'runtime/core/hold.ts',
    find: 'const least = moments[majorityOf(guardians.length) - 1];',
    replace: 'const least = moments[0];',
    world: STOP,
    caughtAs: ['overlap-stop', 'ran-unguarded'],
  },
  {
    name: 'a guardian does not wait for what it granted before',
    file: 'gateway/core/grants.ts',
    find: '    if (!isFree(rows, instance, term, now)) return false;\n',
    replace: '',
    world: STOP,
    caughtAs: ['overlap-stop'],
  },
  {
    name: 'what must not run in two places starts as anything else',
    file: 'runtime/core/plan.ts',
    find: "return held && monoMs >= run.retryMonoMs ? 'start' : null;",
    replace: "return monoMs >= run.retryMonoMs ? 'start' : null;",
    world: STOP,
    caughtAs: ['overlap-stop', 'ran-unguarded'],
  },
  {
    name: 'nobody renews',
    file: 'runtime/agent/renewal.ts',
    find: 'const isWanted = instance.wanted',
    replace: 'const isWanted = false && instance.wanted',
    world: STOP,
    caughtAs: ['guarded-not-run'],
  },
  {
    name: 'a release reaches all before the first has shown anything',
    file: 'gateway/core/rollout.ts',
    find: "(member.trial !== 'old' || (waves[at] ?? 0) < open)",
    replace: 'true',
    world: UPDATE,
    caughtAs: ['wave-skipped'],
  },
  {
    name: 'an update that is no good never goes back',
    file: 'runtime/core/trial.ts',
    find: "  if (why !== null) return { kind: 'failed', why };\n",
    replace: '',
    world: UPDATE,
    caughtAs: [expected('eventually within 1h of 3h: green of hello-sensor at least 4')],
  },
  {
    name: 'an update goes back though it keeps its promises',
    file: 'runtime/core/trial.ts',
    find: 'state === undefined || state.held === true || monoMs <=',
    replace: 'state === undefined || monoMs <=',
    world: UPDATE,
    caughtAs: [expected('eventually within 50min of 1h: moves of hello-sensor at least 4')],
  },
  {
    name: 'a system on trial is kept at once',
    file: 'runtime/core/update.ts',
    find: 'wellMonoMs !== null && down === 0 && monoMs - wellMonoMs >= TRIAL_STEADY_MS',
    replace: 'monoMs >= 0',
    world: SYSTEM,
    caughtAs: ['kept-unproven'],
  },
  {
    name: 'a system that finds no gateway is never left',
    file: 'runtime/core/update.ts',
    find: 'if (monoMs - sinceMonoMs < TRIAL_MS)',
    replace: 'if (monoMs >= 0)',
    world: SYSTEM,
    caughtAs: ['trial-undecided'],
  },
  {
    name: 'a system that failed is tried for ever',
    file: 'runtime/core/update.ts',
    find: 'if (wish.upkeep > update.upkeep) return null;',
    replace: 'if (wish.upkeep > 0) return null;',
    world: SYSTEM,
    caughtAs: [expected('what failed is not tried for ever')],
  },
  {
    name: 'a system reaches all boards before the first has shown anything',
    file: 'gateway/core/fleet.ts',
    find: "return member !== undefined && (member.trial === 'passed' || isReached(standing, member, at));",
    replace: 'return member !== undefined;',
    world: SYSTEM,
    caughtAs: ['wave-skipped'],
  },
  // Of the part that starts machines, as the real one is a script and a loader.
  {
    name: 'a system that was armed is not started so often only',
    file: 'sim/hardware/slots.ts',
    find: 'entries.set(idle, { left: TRIES, version });',
    replace: 'entries.set(idle, { left: null, version });',
    world: SYSTEM,
    caughtAs: [expected('in the end all boards run what they ran')],
  },
  {
    name: 'a slot is armed before all of it is there',
    file: 'sim/hardware/slots.ts',
    find: 'this.#do(({ releases }) => void releases.set(idle, hex(release)));\n    this.#sync();',
    replace: 'this.#do(({ releases }) => void releases.set(idle, hex(release)));',
    world: SYSTEM,
    caughtAs: ['started-half'],
  },
  {
    name: 'who gives something else again and again is never left',
    file: 'runtime/agent/session.ts',
    find: '  if (why === null) return;\n',
    replace: '  return;\n',
    world: CONTENT,
    caughtAs: [expected('eventually within 10min of 2h3min: green at least 4')],
  },
  {
    name: 'what rotted at a gateway is not mended',
    file: 'gateway/service/pieces.ts',
    find: '  wanted.put(work, HEALING, key);\n',
    replace: '',
    world: CONTENT,
    caughtAs: [expected('eventually within 2min of 1h2min: green at least 4')],
  },
  {
    name: 'what goes back finds what the newer one wrote',
    file: 'runtime/core/trial.ts',
    find: "begins === null && hook === 'changed' ? 'drop' : 'return';",
    replace: "'drop';",
    world: UPDATE,
    caughtAs: [expected('always: spoilt of primes at most 0')],
  },
  {
    name: 'a release begins without its hook',
    file: 'runtime/core/hooks.ts',
    find: "  (hook === 'due' || hook === 'after') && manifest.data?.after !== undefined;",
    replace: "  hook === 'ready' && manifest.data?.after !== undefined;",
    world: HOOKS,
    caughtAs: [expected('always: spoilt of primes at most 0')],
  },
  {
    name: 'a hook that was cut counts as done',
    file: 'runtime/core/hooks.ts',
    find: "(hook === 'due' || hook === 'after') && manifest",
    replace: "hook === 'due' && manifest",
    world: HOOKS,
    caughtAs: [expected('always: spoilt of primes at most 0')],
  },
  {
    name: 'what returns and was never here finds the data of the one before it',
    file: 'runtime/core/hooks.ts',
    find: "!equal(left, fallback.release) ? 'due' : 'none'",
    replace: "!equal(left, fallback.release) ? 'none' : 'none'",
    world: HOOKS,
    caughtAs: [expected('always: spoilt of primes at most 0')],
  },
  {
    name: 'a neighbour is believed without the hash',
    file: 'runtime/agent/neighbours.ts',
    find: ' || !equal(board.crypto.sha256(bytes), hash)',
    replace: '',
    world: LAN,
    caughtAs: ['wrote-unsigned'],
  },
  {
    name: "content is shared against the owner's word",
    file: 'runtime/agent/neighbours.ts',
    find: ' &&\n  allowances.get(work, ONE)?.allowed !== false;',
    replace: ';',
    world: LAN,
    caughtAs: ['shared-against-owner'],
  },
  {
    name: 'every board asks its gateway for all pieces',
    file: 'runtime/core/neighbours.ts',
    find: '    if (first !== me) add(parts.owed, first, piece);\n    else if',
    replace: '    if',
    world: LAN,
    caughtAs: [expected('always: fetched at most 5120')],
  },
  {
    name: 'a close is answered and logged nowhere',
    file: 'gateway/service/periods.ts',
    find: "  accept(work, service, 'close', encodeAs(closeSchema, close, 'close'), now);\n",
    replace: '',
    caughtAs: ['not-closed'],
  },
  {
    name: 'a period that is closed is never stated',
    file: 'gateway/service/periods.ts',
    find: '    if (sizeOf(work, author) < size)\n',
    replace: '    if (sizeOf(work, author) <= size)\n',
    caughtAs: ['not-closed'],
  },
  {
    name: 'what one of two had of a third one that died the other never gets',
    file: 'gateway/service/sync.ts',
    find: "const others = asks === 'all' ? Object.keys(vector) : isLook ? lagging(value, before) : [];",
    replace: 'const others: string[] = [];',
    caughtAs: ['statements-differ'],
  },
  {
    name: 'a board keeps to itself what it runs under',
    file: 'runtime/agent/bringing.ts',
    find: "  work.emit({ kind: 'publish', topic: 'bring', payload: encodeAs(bring, payload, 'bring') });\n",
    replace: '',
    world: ALONE,
    caughtAs: ['usage-lost'],
  },
  {
    name: 'a board brings a lease without what it was given upon',
    file: 'runtime/agent/bringing.ts',
    find: '...(asked && { request: asked }), ...(paid && { voucher: paid })',
    replace: '',
    world: ALONE,
    caughtAs: ['usage-lost'],
  },
  {
    name: 'what is not assigned any more runs on',
    file: 'runtime/core/plan.ts',
    find: 'leaving(content) : stopping(run, monoMs);\n',
    replace: 'leaving(content) : null;\n',
    caughtAs: ['runs-on'],
  },
  {
    name: 'nothing is ever said to be on two disks',
    file: 'gateway/service/acknowledge.ts',
    find: '  const replicated = replicatedOf(work, board);\n',
    replace: '  const replicated = 0;\n',
    caughtAs: ['never-delivered'],
  },
  {
    name: 'what a peer missed is sent to it all at once',
    file: 'gateway/core/log.ts',
    find: 'const entries = entriesOf(rows, author, from, LIMITS.peerBatchEntries);',
    replace: 'const entries = entriesOf(rows, author, from, Number.MAX_SAFE_INTEGER);',
    world: PEERS,
    caughtAs: ['malformed-on-wire'],
  },
];
