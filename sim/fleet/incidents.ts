/**
 * What each fault of the table does to the fleet. Each returns its end; the end of a scenario ends them all. What finds
 * nothing that it could befall (a board without power, a gateway that does not run, a wish that is over) hits nothing, and
 * only what hit something has happened.
 */
import type { Bytes } from '../../runtime/protocol/bytes.ts';
import { rotten } from '../hardware/card.ts';
import { SENSOR_FAULTS } from '../hardware/sensor.ts';
import type { CardFault } from '../oracle/physics.ts';
import type { FaultKind } from '../scenario/faults.ts';
import type { Behaviour, Incident } from '../scenario/scenario.ts';
import { askStatements } from './bills.ts';
import type { VirtualBoard } from './board.ts';
import type { Fleet, Wish } from './fleet.ts';
import type { VirtualGateway } from './gateway.ts';
import { makeLiar } from './liar.ts';

type Undo = () => void;
const NOTHING: Undo = () => {};

/** Facts that only whoever did it can tell the judge. */
export interface Confession {
  cardFault(board: VirtualBoard, what: CardFault): void;
  forgot(gateway: string, backToMs: number | null): void;
  dead(gateway: string): void;
  lies(gateway: string, to: string): void;
  /** All that it has closed so far, by its word. */
  stated(gateway: string, statements: Bytes[]): void;
}

interface Scene {
  fleet: Fleet;
  incident: Incident;
  confess: Confession;
  /** It has found something to befall. Once is as good as often. */
  hit(): void;
}

type OnBoard = (scene: Scene, board: VirtualBoard) => Undo;

/** Hits a board that has power, and changes what one without it will find. */
const powered =
  (act: OnBoard): OnBoard =>
  (scene, board) => {
    if (board.on) scene.hit();
    return act(scene, board);
  };

/** Hits one that has power, also if it does nothing with it. */
const fed =
  (act: OnBoard): OnBoard =>
  (scene, board) => {
    if (board.hung) scene.hit();
    return powered(act)(scene, board);
  };

/** Hits one whose runtime runs. */
const awake =
  (act: OnBoard): OnBoard =>
  (scene, board) => {
    if (board.up) scene.hit();
    return act(scene, board);
  };

const number = ({ incident }: Scene, name: string): number => Number(incident.with[name] ?? 0);
const word = ({ incident }: Scene, name: string): string => String(incident.with[name] ?? '');
const RESTART_MS = 5_000;
const POWER_CYCLE_MS = 10_000;

const cutPower = ({ fleet }: Scene, board: VirtualBoard): Undo => {
  board.power.cut(fleet.clock.nowMs);
  board.feed();
  return () => {
    board.power.restore(fleet.clock.nowMs);
    board.feed();
  };
};

/** In the middle of the n-th write from now on; the power comes back `forMs` later. */
const cutAtWrite = (scene: Scene, board: VirtualBoard, left: number, of: 'any' | 'file' = 'any'): Undo => {
  const { fleet, incident } = scene;
  const armed = {
    ...{ left, of },
    act: () => {
      scene.hit();
      const restore = cutPower(scene, board);
      fleet.clock.at(fleet.clock.nowMs + (incident.forMs ?? POWER_CYCLE_MS), restore);
    },
  };
  board.cutAtWrite = armed;
  return () => {
    if (board.cutAtWrite === armed) board.cutAtWrite = null;
  };
};

const isSensorFault = (how: string): how is (typeof SENSOR_FAULTS)[number] => SENSOR_FAULTS.some((known) => known === how);

const onBoard = {
  'power-cut': (scene, board) => {
    const write = number(scene, 'write');
    return write > 0 ? cutAtWrite(scene, board, write) : fed(cutPower)(scene, board);
  },
  'brown-out': fed(({ fleet }, board) => {
    board.power.sag(fleet.clock.nowMs);
    board.feed();
    return () => {
      board.power.steady(fleet.clock.nowMs);
      board.feed();
    };
  }),
  'runtime-crash': awake((_scene, board) => {
    board.crashRuntime(RESTART_MS);
    return NOTHING;
  }),
  'runtime-hang': awake(({ fleet }, board) => {
    // A process that hangs answers no ping either.
    const silence = fleet.troubles.begin(board.at, { deaf: true, mute: true });
    const wake = board.hangRuntime();
    return () => {
      silence();
      wake();
    };
  }),
  'board-hang': powered((scene, board) => {
    const { boots } = board;
    board.hang();
    return () => {
      if (board.hung && board.boots === boots) cutPower(scene, board)();
    };
  }),
  'link-cut': powered(({ fleet }, { at }) => fleet.troubles.begin(at, { deaf: true, mute: true })),
  'one-way': powered((scene, { at }) => scene.fleet.troubles.begin(at, word(scene, 'passes') === 'down' ? { mute: true } : { deaf: true })),
  captive: powered(({ fleet }, { at }) => fleet.troubles.begin(at, { captive: true })),
  flapping: powered((scene, { at }) => {
    const { fleet } = scene;
    let over = false;
    let end: Undo | null = null;
    const flip = (): void => {
      if (over) return;
      if (end === null) end = fleet.troubles.begin(at, { deaf: true, mute: true });
      else {
        end();
        end = null;
      }
      fleet.clock.at(fleet.clock.nowMs + number(scene, 'period'), flip);
    };
    flip();
    return () => {
      over = true;
      end?.();
    };
  }),
  late: powered((scene, { at }) => scene.fleet.troubles.begin(at, { lateMs: number(scene, 'by') })),
  duplicate: (scene, { at }) => scene.fleet.troubles.begin(at, { repeatsPermille: number(scene, 'share'), repeated: scene.hit }),
  'lan-cut': powered(({ fleet }, { at }) => fleet.lans.begin(at, 'cut')),
  'false-neighbour': powered(({ fleet }, { at }) => fleet.lans.begin(at, 'lies')),
  'mute-neighbour': powered(({ fleet }, { at }) => fleet.lans.begin(at, 'mute')),
  'clock-jump': powered((scene, board) => {
    board.hands.jump(scene.fleet.clock.nowMs, number(scene, 'by'));
    return NOTHING;
  }),
  'lost-writes': (scene, board) => {
    const restore = cutPower(scene, board);
    if (board.disk.forget(number(scene, 'commits')) > 0) {
      scene.hit();
      scene.confess.cardFault(board, 'lost-writes');
    }
    scene.fleet.clock.at(scene.fleet.clock.nowMs + POWER_CYCLE_MS, restore);
    return NOTHING;
  },
  'bit-rot': (scene, board) => {
    const { fleet, confess, hit } = scene;
    for (const name of rotten([...board.shelf.sealed.keys()], number(scene, 'files'), fleet.chance.fork(`rot ${fleet.clock.nowMs}`))) {
      const file = board.shelf.sealed.get(name);
      if (file === undefined) continue;
      file.isRotten = true;
      hit();
      confess.cardFault(board, 'rot');
    }
    return NOTHING;
  },
  'full-card': powered(({ confess }, board) => {
    confess.cardFault(board, 'full');
    board.card.stuff(true);
    return () => {
      board.card.stuff(false);
      confess.cardFault(board, 'room');
    };
  }),
  'slow-card': powered((scene, board) => {
    board.card.slow(number(scene, 'by'));
    return () => board.card.slow(0);
  }),
  'cloned-card': ({ fleet, confess, hit }, board) => {
    hit();
    confess.cardFault(board, 'cloned');
    const clone = fleet.addBoard(board.spec, board);
    clone.feed();
    return () => fleet.removeBoard(clone);
  },
  heat: powered((scene, board) => {
    board.heat(number(scene, 'ambient'));
    return () => board.heat(null);
  }),
  'sensor-fault': (scene, board) => {
    const how = word(scene, 'how');
    for (const sensor of board.sensors) {
      if (!isSensorFault(how)) continue;
      sensor.fail(scene.fleet.clock.nowMs, how);
      if (board.on) scene.hit();
    }
    return () => {
      for (const sensor of board.sensors) sensor.heal();
    };
  },
} satisfies Partial<Record<FaultKind, OnBoard>>;

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
  'slow-disk': serving((scene, gateway) => {
    gateway.slowerMs = number(scene, 'by');
    return () => {
      gateway.slowerMs = 0;
    };
  }),
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
