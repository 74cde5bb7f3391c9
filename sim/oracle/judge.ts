/**
 * The judge: told what happened, it says which promises were broken. It shares no code with the accused and takes
 * nobody's word for what the physics knows. What it forgives it forgives for physical facts only: power, ways, cards,
 * disks, liars.
 */
import { hex } from '../../runtime/protocol/bytes.ts';
import type { Crypto } from '../../runtime/protocol/crypto.ts';
import { unseal } from '../../runtime/protocol/noun.ts';
import { helloNoun } from '../../runtime/protocol/nouns/board.ts';
import { TOPICS } from '../../runtime/protocol/topics.ts';
import { believing, openArchive, orNull } from './archive.ts';
import { endSession, forgetAssignments, openAssignments } from './assignments.ts';
import { type JudgeLimits, judgeLimits } from './bounds.ts';
import type { Court } from './court.ts';
import { openDocket } from './docket.ts';
import { openGuard } from './guard.ts';
import { openHoming } from './homing.ts';
import { examineLeftovers } from './leftovers.ts';
import { openLogs } from './logs.ts';
import { examineOffer } from './offer.ts';
import { openOverlap } from './overlap.ts';
import type { CardFault, Judge } from './physics.ts';
import { openRecords } from './records.ts';
import { examineLine } from './refusals.ts';
import { openRuns } from './runs.ts';
import { type BoardCase, noteWell, openScene, restartWell } from './scene.ts';
import { type Heard, settle } from './settlement.ts';
import { openSharing } from './sharing.ts';
import { openSteady } from './steady.ts';
import { openSystems } from './systems.ts';
import { examineBegin } from './unsigned.ts';
import { openWaves } from './waves.ts';
import { openWire } from './wire.ts';

export interface JudgeOptions {
  crypto: Crypto;
  /** What is not given is as in `judgeLimits()`. */
  limits: Partial<JudgeLimits>;
}

const wordsOf = (direction: 'up' | 'down'): Set<string> =>
  new Set(Object.entries(TOPICS).flatMap(([name, topic]) => (topic.party === 'board' && topic.direction === direction ? [name] : [])));

/** What boards say, and what they hear. */
const UP = wordsOf('up');
const DOWN = wordsOf('down');

const chambers = (court: Court) => {
  const records = openRecords(court);
  const assignments = openAssignments(court);
  const guard = openGuard(court, assignments);
  return {
    ...{ records, assignments, guard, logs: openLogs(court, records), runs: openRuns(court) },
    steady: openSteady(court, assignments, guard),
    ...{ homing: openHoming(court), overlap: openOverlap(court), wire: openWire(court), waves: openWaves(court) },
    ...{ sharing: openSharing(court), systems: openSystems(court) },
  };
};

type Chambers = ReturnType<typeof chambers>;
type Facts<K extends keyof Judge> = Pick<Judge, K>;

const machines = (court: Court, { runs, steady, homing, overlap, records, sharing, systems }: Chambers) => {
  const { scene } = court;
  /** Where a board stands has changed: everybody who asks that looks again. */
  const moved = (atMs: number, board: BoardCase): void => {
    noteWell(board, atMs);
    homing.changed(atMs, board);
    overlap.changed(atMs, board);
  };
  const lifeEnds = (atMs: number, board: BoardCase): void => {
    if (board.isUp) board.downMs = atMs;
    board.isUp = false;
    // What it could not write down until now nobody could have.
    if (board.isHung) board.wokeMs = atMs;
    board.isHung = false;
    endSession(board);
    homing.lost(atMs, board);
  };
  const lifeBegins = (atMs: number, board: BoardCase): void => {
    board.isUp = true;
    board.upMs = atMs;
    board.home = null;
    // Whoever was booting had no runtime to find a home with, nor to bring what it had.
    board.seeksMs = null;
    restartWell(board, atMs);
  };
  const CARD: Record<CardFault, (atMs: number, board: BoardCase) => void> = {
    'lost-writes': (atMs, board) => {
      board.card.lostMs = atMs;
      records.lostWrites(board);
      forgetAssignments(board);
      sharing.forgot(board.id);
      steady.excuse(board);
    },
    cloned: (_atMs, board) => {
      board.card.isCloned = true;
      steady.excuse(board);
      overlap.excuse(board);
    },
    dead: (_atMs, board) => {
      board.card.isDead = true;
      steady.excuse(board);
    },
    full: (_atMs, board) => {
      board.card.isFull = true;
    },
    room: (atMs, board) => {
      board.card.isFull = false;
      board.roomMs = atMs;
    },
    rot: (_atMs, board) => {
      board.card.isRotten = true;
      steady.excuse(board);
    },
  };
  const facts: Facts<'built' | 'powered' | 'runtime' | 'hung' | 'reachable' | 'cardFault'> = {
    built: (_atMs, id, enforces) => {
      scene.board(id).enforces = enforces;
    },
    powered: (atMs, id, on) => {
      const board = scene.board(id);
      steady.before(atMs, board);
      systems.before(atMs, board);
      board.isPowered = on;
      if (on) lifeBegins(atMs, board);
      else {
        lifeEnds(atMs, board);
        runs.forgets(board, 'power');
      }
      moved(atMs, board);
    },
    runtime: (atMs, id, up) => {
      const board = scene.board(id);
      if (up) {
        lifeBegins(atMs, board);
        for (const { lease } of board.running.values()) lease.adoptions++;
      } else {
        lifeEnds(atMs, board);
        runs.forgets(board, 'runtime');
      }
      moved(atMs, board);
    },
    hung: (atMs, id, is) => {
      const board = scene.board(id);
      steady.before(atMs, board);
      board.isHung = is;
      if (!is) board.wokeMs = atMs;
      moved(atMs, board);
    },
    reachable: (atMs, id, can) => {
      const board = scene.board(id);
      if (board.canReach === can) return;
      steady.before(atMs, board);
      board.canReach = can;
      // On a way that is too slow for most sessions one may have begun all the same.
      const isSilent = atMs - board.cutOffMs >= court.limits.silenceMs && board.welcomeMs <= board.cutOffMs;
      if (can && isSilent) board.home = null;
      if (!can) {
        board.cutOffMs = atMs;
        board.isHomeSure = false;
      }
      moved(atMs, board);
    },
    cardFault: (atMs, id, what) => {
      const board = scene.board(id);
      steady.before(atMs, board);
      CARD[what](atMs, board);
      moved(atMs, board);
    },
  };
  return facts;
};

const gatewayFacts = (court: Court, { records, homing, overlap, guard, logs }: Chambers) => {
  const { scene } = court;
  const moved = (atMs: number): void => {
    overlap.gatewaysChanged(atMs);
    guard.changed();
  };
  const facts: Facts<'gateway' | 'cutOff' | 'peered' | 'forgot' | 'lies' | 'kept'> = {
    gateway: (atMs, id, state) => {
      const gateway = scene.gateway(id);
      if (gateway.state !== 'up' && state === 'up') gateway.upMs = atMs;
      gateway.state = state;
      if (state !== 'up') homing.gatewayLost(atMs, gateway);
      moved(atMs);
    },
    cutOff: (atMs, id, is) => {
      const gateway = scene.gateway(id);
      if (gateway.isCutOff && !is) gateway.upMs = atMs;
      gateway.isCutOff = is;
      moved(atMs);
    },
    peered: (atMs, one, other, can) => {
      const [a, b] = [scene.gateway(one), scene.gateway(other)];
      if (can) {
        a.apart.delete(b.id);
        b.apart.delete(a.id);
      } else {
        a.apart.add(b.id);
        b.apart.add(a.id);
      }
      moved(atMs);
    },
    forgot: (atMs, id, backToMs) => {
      records.forgot(atMs, scene.gateway(id), backToMs !== null);
      logs.forgot(scene.gateway(id), backToMs);
      moved(atMs);
    },
    lies: (atMs, id, to) => {
      scene.gateway(id).lies = true;
      if (to !== undefined) scene.gateway(to).isDeceived = true;
      moved(atMs);
    },
    kept: (atMs, id, entry) => logs.kept(atMs, scene.gateway(id), entry),
  };
  return facts;
};

const programs = (court: Court, { runs, steady, overlap, guard, waves }: Chambers) => {
  const { scene } = court;
  const facts: Facts<'began' | 'ended' | 'counted'> = {
    began: (atMs, boardId, leaseId, content, args) => {
      const [board, lease] = [scene.board(boardId), scene.lease(leaseId)];
      examineBegin(court, atMs, board, lease, content, args);
      runs.began(atMs, board, lease, hex(content));
      waves.began(atMs, board, lease, hex(content));
      steady.began(atMs, board, lease);
      overlap.began(atMs, board, lease);
      guard.began(atMs, board, lease);
    },
    ended: (atMs, boardId, leaseId, why, used) => {
      const [board, lease] = [scene.board(boardId), scene.lease(leaseId)];
      const run = runs.ended(atMs, board, lease, why, used);
      if (run === null) return;
      waves.ended(atMs, run);
      steady.ended(atMs, board, run, why);
      overlap.ended(atMs, board, lease);
      guard.ended(atMs, board, lease);
    },
    counted: (_atMs, _board, leaseId, used) => {
      scene.lease(leaseId).present = used;
    },
  };
  return facts;
};

const hearing = (court: Court, { records, assignments, steady, homing, overlap, guard, wire, sharing, systems }: Chambers) => {
  const { scene } = court;
  const trusting = believing(court.crypto);
  /** Something of a session passed after it was in doubt. */
  const assure = (atMs: number, board: BoardCase, gateway: string): void => {
    if (board.isHomeSure || board.home?.id !== gateway || !board.canReach) return;
    board.isHomeSure = true;
    overlap.changed(atMs, board);
  };
  const up = (atMs: number, board: BoardCase, gateway: string, topic: string, payload: Uint8Array): boolean => {
    // Neither is a word within the session.
    if (topic === 'gone' || topic === 'bring') return true;
    if (topic === 'hello') {
      assignments.heardHello(board);
      const hello = orNull(() => unseal(trusting, helloNoun, payload).value);
      if (hello !== null && hello.board === board.id) {
        examineOffer(court, atMs, board, hello.offer);
        systems.heardHello(atMs, board, hello.offer);
      }
      return hello !== null;
    }
    assure(atMs, board, gateway);
    assignments.heardInSession(atMs, board, gateway);
    guard.look(atMs, board);
    if (topic === 'renew') return guard.heardRenewal(atMs, board, payload);
    return topic !== 'usage' || records.heardBatch(atMs, board, payload);
  };
  const down = (atMs: number, board: BoardCase, gateway: string, topic: string, payload: Uint8Array): boolean => {
    if (topic === 'now') {
      homing.heardNow(atMs, board, scene.gateway(gateway));
      assignments.heardNow(gateway, board);
      overlap.changed(atMs, board);
      return true;
    }
    assure(atMs, board, gateway);
    sharing.heardDown(atMs, board.id, topic, payload);
    if (topic === 'grant') return guard.heardGrant(atMs, board, payload);
    if (topic === 'ack') return records.heardAck(atMs, scene.gateway(gateway), board, payload);
    if (topic !== 'desired') return true;
    const isWell = assignments.heardDesired(atMs, gateway, board, payload);
    steady.told(board);
    return isWell;
  };
  const facts: Facts<'heard'> = {
    heard: (atMs, from, to, topic, payload) => {
      const isRead = UP.has(topic)
        ? up(atMs, scene.board(from), to, topic, payload)
        : !DOWN.has(topic) || down(atMs, scene.board(to), from, topic, payload);
      if (scene.gateways.get(from)?.lies !== true) wire.examine(atMs, from, topic, payload, !isRead);
    },
  };
  return facts;
};

export const createJudge = (options: JudgeOptions): Judge => {
  const { crypto } = options;
  const limits = judgeLimits(options.limits);
  const docket = openDocket(limits.keptOfCode);
  const scene = openScene();
  const court: Court = { crypto, limits, docket, scene, archive: openArchive(crypto, scene) };
  const { violations, tally } = docket;
  const held = chambers(court);
  const heard: Heard = { closings: [], said: [] };
  return {
    ...{ violations, tally },
    ...machines(court, held),
    ...gatewayFacts(court, held),
    ...programs(court, held),
    ...hearing(court, held),
    signed: (document) => {
      court.archive.file(document);
      held.sharing.signed(document);
      held.systems.signed(document);
    },
    passed: held.sharing.passed,
    placed: held.sharing.placed,
    started: (atMs, board, start) => held.systems.started(atMs, scene.board(board), start),
    slot: (atMs, board, what) => held.systems.slot(atMs, scene.board(board), what),
    wrote: (atMs, board, record) => held.records.wrote(atMs, scene.board(board), record),
    pruned: (atMs, board, seq) => held.records.pruned(atMs, scene.board(board), seq),
    left: (_atMs, board, seqs) => {
      scene.board(board).chain.left = seqs;
    },
    closing: (atMs, gateway) => void heard.closings.push({ gateway: scene.gateway(gateway), sinceMs: atMs }),
    stated: (_atMs, gateway, statements) => void heard.said.push({ gateway: scene.gateway(gateway), statements }),
    noted: (atMs, by, line) => examineLine(court, atMs, by, line),
    settled: (atMs, statements) => {
      for (const board of scene.boards.values()) {
        held.steady.before(atMs, board);
        held.systems.before(atMs, board);
      }
      held.homing.finish(atMs);
      settle(court, held.logs, atMs, statements, heard);
      examineLeftovers(court, held.logs, atMs);
      held.overlap.finish(atMs);
      held.guard.finish(atMs);
    },
  };
};
