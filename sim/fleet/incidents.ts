/**
 * What each fault of the table does to the fleet. Each returns its end; the end of a scenario ends them all. What finds
 * nothing that it could befall (a board without power, a gateway that does not run, a wish that is over) hits nothing, and
 * only what hit something has happened.
 */
import type { FaultKind } from '../scenario/faults.ts';
import type { Behaviour, Incident } from '../scenario/scenario.ts';
import { askStatements } from './bills.ts';
import type { VirtualBoard } from './board.ts';
import { cutAtWrite, type OnBoard, onBoard } from './board-incidents.ts';
import type { Fleet, Wish } from './fleet.ts';
import type { VirtualGateway } from './gateway.ts';
import { type Confession, NOTHING, number, POWER_CYCLE_MS, type Scene, type Undo, word } from './incident.ts';
import { makeLiar } from './liar.ts';

type OnOther = (scene: Scene) => Undo;

/** The wish that it is about, unless it is over. */
const onWish =
  (act: (scene: Scene, wish: Wish) => Undo): OnOther =>
  (scene) => {
    const wish = scene.fleet.wishes.get(scene.incident.on);
    return wish === undefined || wish.state === 'destroyed' ? NOTHING : act(scene, wish);
  };

/** A word of its tenant on what is wanted. */
const deed = (state: 'started' | 'stopped' | 'destroyed', before: (fleet: Fleet, name: string) => void = () => {}): OnOther =>
  onWish(({ fleet, incident, hit }) => {
    hit();
    before(fleet, incident.on);
    fleet.ask(incident.on, state);
    return NOTHING;
  });

/** The gateway that it is about, unless it is dead for good. */
const onGateway =
  (act: (scene: Scene, gateway: VirtualGateway) => Undo): OnOther =>
  (scene) => {
    const gateway = scene.fleet.gatewayNamed(scene.incident.on);
    return gateway.dead ? NOTHING : act(scene, gateway);
  };

/** Hits one that runs, and changes what one that does not will find. */
const serving = (act: (scene: Scene, gateway: VirtualGateway) => Undo): OnOther =>
  onGateway((scene, gateway) => {
    if (gateway.running) scene.hit();
    return act(scene, gateway);
  });

const FAILS_AFTER_MS = 20_000;
const HEARD_OF_MS = 60_000;

const BAD = ['crash', 'leak', 'never-green', 'hook'] as const;
const isBad = (how: string): how is (typeof BAD)[number] => BAD.some((one) => one === how);

const upgrade = ({ fleet, incident, hit }: Scene, spec: Behaviour, fails: Behaviour['fails']): Undo => {
  hit();
  fleet.upgrade(incident.on, { ...spec, fails });
  return NOTHING;
};

/** Boards on which any program of the workload runs. */
const running = (fleet: Fleet, workload: string): [VirtualBoard, string][] =>
  fleet.boards.flatMap((board) =>
    board.kernel.programs
      .filter(({ rootPath }) => fleet.workloadOf(rootPath) === workload)
      .map(({ partition }): [VirtualBoard, string] => [board, partition]),
  );

const revive = (gateway: VirtualGateway): void => {
  if (!gateway.running && !gateway.dead) gateway.start();
};

/** It ends, and comes back with another disk. */
const swapDisk = ({ fleet, confess, hit }: Scene, gateway: VirtualGateway, swap: () => void, backToMs: number | null): Undo => {
  hit();
  gateway.kill();
  swap();
  confess.forgot(gateway.id, backToMs);
  fleet.clock.at(fleet.clock.nowMs + POWER_CYCLE_MS, () => revive(gateway));
  return NOTHING;
};

const others = {
  crash: ({ fleet, incident, hit }) => {
    for (const [board, partition] of running(fleet, incident.on)) {
      hit();
      board.kernel.crash(partition);
    }
    return NOTHING;
  },
  'bad-release': onWish((scene, { spec }) => {
    const how = word(scene, 'how');
    return isBad(how) ? upgrade(scene, spec, { how, afterMs: FAILS_AFTER_MS }) : NOTHING;
  }),
  'good-release': onWish((scene, { spec }) => upgrade(scene, spec, null)),
  'interrupted-update': onWish((scene, { spec }) => {
    const { fleet, incident } = scene;
    const ends: Undo[] = [];
    // Nothing else writes files meanwhile: whoever gets the release is known by that.
    fleet.upgrade(incident.on, { ...spec, fails: null }, () => {
      for (const board of fleet.boards) ends.push(cutAtWrite(scene, board, Math.max(1, number(scene, 'write')), 'file'));
    });
    return () => {
      for (const end of ends) end();
    };
  }),
  stop: deed('stopped'),
  resume: deed('started'),
  bang: deed('started', ({ people }, name) => people.bang(name)),
  'top-up': deed('started', ({ people }, name) => people.topUp(name)),
  destroy: deed('destroyed'),
  'gateway-kill': onGateway(({ incident, confess, hit }, gateway) => {
    const forGood = incident.forMs === null;
    // One that is down already comes back when whatever took it down is over.
    if (!gateway.running && !forGood) return NOTHING;
    hit();
    gateway.kill();
    if (!forGood) return () => revive(gateway);
    gateway.dead = true;
    confess.dead(gateway.id);
    return NOTHING;
  }),
  'gateway-cut': serving(({ fleet }, { id }) => fleet.troubles.begin(id, { deaf: true, mute: true })),
  'peer-cut': serving(({ fleet }, { id }) => fleet.troubles.begin(id, { peersCut: true })),
  'disk-loss': onGateway((scene, gateway) => swapDisk(scene, gateway, () => gateway.loseDisk(), null)),
  'old-disk': onGateway((scene, gateway) => {
    const copy = gateway.backup;
    if (copy === null) return NOTHING;
    const swap = (): void => {
      gateway.disk = copy.disk.copy();
    };
    return swapDisk(scene, gateway, swap, copy.atMs);
  }),
  'slow-disk': serving((scene, { slower }) => slower.begin(number(scene, 'by'))),
  'gateway-clock-jump': serving((scene, gateway) => {
    gateway.wrongMs += number(scene, 'by');
    return NOTHING;
  }),
  'close-period': serving(({ fleet, confess }, gateway) => {
    // Once the others have heard of it, all of them are asked what it comes to.
    const ask = (): void => {
      for (const asked of fleet.gateways) askStatements(asked, (statements) => confess.stated(asked.id, statements));
    };
    gateway.call('close', {}, () => void fleet.clock.at(fleet.clock.nowMs + HEARD_OF_MS, ask));
    return NOTHING;
  }),
  'rotten-content': onGateway((scene, gateway) => {
    const { fleet, hit } = scene;
    const pieces = gateway.rot(number(scene, 'share'), fleet.chance.fork(`rot ${gateway.spec.name} ${fleet.clock.nowMs}`));
    if (pieces > 0) hit();
    return NOTHING;
  }),
  'false-content': serving((_scene, gateway) => {
    gateway.givesFalse++;
    return () => {
      gateway.givesFalse--;
    };
  }),
  'forked-log': onGateway(({ fleet, confess, hit }, gateway) => {
    const victim = fleet.gateways.find(({ id, running: runs }) => id !== gateway.id && runs);
    if (victim === undefined) return NOTHING;
    if (gateway.running) hit();
    gateway.lie = makeLiar(fleet.people.keys.crypto, gateway, victim.id);
    confess.lies(gateway.id, victim.id);
    return NOTHING;
  }),
} satisfies Partial<Record<FaultKind, OnOther>>;

const isOnBoard = (kind: FaultKind): kind is keyof typeof onBoard => kind in onBoard;
const isOther = (kind: FaultKind): kind is keyof typeof others => kind in others;

/** Lets it happen; returns its end. `hit` is called once it has hit anything: at once, later, or never. */
export const befall = (fleet: Fleet, incident: Incident, confess: Confession, hit: () => void): Undo => {
  const scene: Scene = { fleet, incident, confess, hit };
  const { kind } = incident;
  if (isOther(kind)) return others[kind](scene);
  if (!isOnBoard(kind)) return NOTHING;
  const act: OnBoard = onBoard[kind];
  // A board that has not joined yet has nothing that could go wrong.
  const boards = fleet.boardsNamed(incident.on).filter(({ at, id }) => at === id);
  const ends = boards.map((board) => act(scene, board));
  return () => {
    for (const end of ends) end();
  };
};
