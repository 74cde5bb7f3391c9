/** What each fault of the table does to the fleet. Each returns its end; the end of a scenario ends them all. */
import type { Bytes } from '../../runtime/protocol/bytes.ts';
import { rotten } from '../hardware/card.ts';
import { SENSOR_FAULTS } from '../hardware/sensor.ts';
import type { CardFault } from '../oracle/physics.ts';
import type { FaultKind } from '../scenario/faults.ts';
import type { Behaviour, Incident } from '../scenario/scenario.ts';
import { askStatements } from './bills.ts';
import type { VirtualBoard } from './board.ts';
import type { Fleet } from './fleet.ts';
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
}

type OnBoard = (scene: Scene, board: VirtualBoard) => Undo;

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
    return write > 0 ? cutAtWrite(scene, board, write) : cutPower(scene, board);
  },
  'brown-out': ({ fleet }, board) => {
    board.power.sag(fleet.clock.nowMs);
    board.feed();
    return () => {
      board.power.steady(fleet.clock.nowMs);
      board.feed();
    };
  },
  'runtime-crash': (_scene, board) => {
    board.crashRuntime(RESTART_MS);
    return NOTHING;
  },
  'runtime-hang': ({ fleet }, board) => {
    // A process that hangs answers no ping either.
    const silence = fleet.troubles.begin(board.at, { deaf: true, mute: true });
    const wake = board.hangRuntime();
    return () => {
      silence();
      wake();
    };
  },
  'link-cut': ({ fleet }, { at }) => fleet.troubles.begin(at, { deaf: true, mute: true }),
  'one-way': (scene, { at }) => scene.fleet.troubles.begin(at, word(scene, 'passes') === 'down' ? { mute: true } : { deaf: true }),
  captive: ({ fleet }, { at }) => fleet.troubles.begin(at, { captive: true }),
  flapping: (scene, { at }) => {
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
  },
  late: (scene, { at }) => scene.fleet.troubles.begin(at, { lateMs: number(scene, 'by') }),
  duplicate: (scene, { at }) => scene.fleet.troubles.begin(at, { repeatsPermille: number(scene, 'share') }),
  'lan-cut': ({ fleet }, { at }) => fleet.lans.begin(at, 'cut'),
  'false-neighbour': ({ fleet }, { at }) => fleet.lans.begin(at, 'lies'),
  'mute-neighbour': ({ fleet }, { at }) => fleet.lans.begin(at, 'mute'),
  'clock-jump': (scene, board) => {
    board.hands.jump(scene.fleet.clock.nowMs, number(scene, 'by'));
    return NOTHING;
  },
  'lost-writes': (scene, board) => {
    const restore = cutPower(scene, board);
    if (board.disk.forget(number(scene, 'commits')) > 0) scene.confess.cardFault(board, 'lost-writes');
    scene.fleet.clock.at(scene.fleet.clock.nowMs + POWER_CYCLE_MS, restore);
    return NOTHING;
  },
  'bit-rot': (scene, board) => {
    const { fleet, confess } = scene;
    confess.cardFault(board, 'rot');
    for (const name of rotten([...board.shelf.sealed.keys()], number(scene, 'files'), fleet.chance.fork(`rot ${fleet.clock.nowMs}`))) {
      const file = board.shelf.sealed.get(name);
      if (file !== undefined) file.isRotten = true;
    }
    return NOTHING;
  },
  'full-card': ({ confess }, board) => {
    confess.cardFault(board, 'full');
    board.card.stuff(true);
    return () => {
      board.card.stuff(false);
      confess.cardFault(board, 'room');
    };
  },
  'slow-card': (scene, board) => {
    board.card.slow(number(scene, 'by'));
    return () => board.card.slow(0);
  },
  'cloned-card': ({ fleet, confess }, board) => {
    confess.cardFault(board, 'cloned');
    const clone = fleet.addBoard(board.spec, board);
    clone.feed();
    return () => fleet.removeBoard(clone);
  },
  heat: (scene, board) => {
    board.heat(number(scene, 'ambient'));
    return () => board.heat(null);
  },
  'sensor-fault': (scene, board) => {
    const how = word(scene, 'how');
    for (const sensor of board.sensors) if (isSensorFault(how)) sensor.fail(scene.fleet.clock.nowMs, how);
    return () => {
      for (const sensor of board.sensors) sensor.heal();
    };
  },
} satisfies Partial<Record<FaultKind, OnBoard>>;

type OnOther = (scene: Scene) => Undo;

const FAILS_AFTER_MS = 20_000;
const HEARD_OF_MS = 60_000;

const spoilt = (scene: Scene): Behaviour | null => {
  const spec = scene.fleet.wishes.get(scene.incident.on)?.spec;
  const how = word(scene, 'how');
  if (spec === undefined || (how !== 'crash' && how !== 'leak' && how !== 'never-green')) return null;
  return { ...spec, fails: { how, afterMs: FAILS_AFTER_MS } };
};

/** Boards on which any program of the workload runs. */
const running = (fleet: Fleet, workload: string): [VirtualBoard, string][] =>
  fleet.boards.flatMap((board) =>
    board.kernel.programs
      .filter(({ rootPath }) => fleet.workloadOf(rootPath) === workload)
      .map(({ partition }): [VirtualBoard, string] => [board, partition]),
  );

const revive = (fleet: Fleet, name: string): void => {
  const gateway = fleet.gatewayNamed(name);
  if (!gateway.running && !gateway.dead) gateway.start();
};

const others = {
  crash: ({ fleet, incident }) => {
    for (const [board, partition] of running(fleet, incident.on)) board.kernel.crash(partition);
    return NOTHING;
  },
  'bad-release': (scene) => {
    const behaviour = spoilt(scene);
    if (behaviour !== null) scene.fleet.upgrade(scene.incident.on, behaviour);
    return NOTHING;
  },
  'good-release': ({ fleet, incident }) => {
    const spec = fleet.wishes.get(incident.on)?.spec;
    if (spec !== undefined) fleet.upgrade(incident.on, { ...spec, fails: null });
    return NOTHING;
  },
  'interrupted-update': (scene) => {
    const { fleet, incident } = scene;
    const spec = fleet.wishes.get(incident.on)?.spec;
    if (spec === undefined) return NOTHING;
    const ends: Undo[] = [];
    // Nothing else writes files meanwhile: whoever gets the release is known by that.
    fleet.upgrade(incident.on, { ...spec, fails: null }, () => {
      for (const board of fleet.boards) ends.push(cutAtWrite(scene, board, Math.max(1, number(scene, 'write')), 'file'));
    });
    return () => {
      for (const end of ends) end();
    };
  },
  stop: ({ fleet, incident }) => {
    fleet.ask(incident.on, 'stopped');
    return NOTHING;
  },
  resume: ({ fleet, incident }) => {
    fleet.ask(incident.on, 'started');
    return NOTHING;
  },
  bang: ({ fleet, incident }) => {
    fleet.people.bang(incident.on);
    fleet.ask(incident.on, 'started');
    return NOTHING;
  },
  'top-up': ({ fleet, incident }) => {
    fleet.people.topUp(incident.on);
    fleet.ask(incident.on, 'started');
    return NOTHING;
  },
  destroy: ({ fleet, incident }) => {
    fleet.ask(incident.on, 'destroyed');
    return NOTHING;
  },
  'gateway-kill': ({ fleet, incident, confess }) => {
    const gateway = fleet.gatewayNamed(incident.on);
    gateway.kill();
    if (incident.forMs !== null) return () => revive(fleet, incident.on);
    gateway.dead = true;
    confess.dead(gateway.id);
    return NOTHING;
  },
  'gateway-cut': ({ fleet, incident }) => fleet.troubles.begin(fleet.gatewayNamed(incident.on).id, { deaf: true, mute: true }),
  'peer-cut': ({ fleet, incident }) => fleet.troubles.begin(fleet.gatewayNamed(incident.on).id, { peersCut: true }),
  'disk-loss': ({ fleet, incident, confess }) => {
    const gateway = fleet.gatewayNamed(incident.on);
    gateway.kill();
    gateway.loseDisk();
    confess.forgot(gateway.id, null);
    fleet.clock.at(fleet.clock.nowMs + POWER_CYCLE_MS, () => revive(fleet, incident.on));
    return NOTHING;
  },
  'old-disk': ({ fleet, incident, confess }) => {
    const gateway = fleet.gatewayNamed(incident.on);
    const copy = gateway.backup;
    if (copy === null) return NOTHING;
    gateway.kill();
    gateway.disk = copy.disk.copy();
    confess.forgot(gateway.id, copy.atMs);
    fleet.clock.at(fleet.clock.nowMs + POWER_CYCLE_MS, () => revive(fleet, incident.on));
    return NOTHING;
  },
  'slow-disk': (scene) => {
    const gateway = scene.fleet.gatewayNamed(scene.incident.on);
    gateway.slowerMs = number(scene, 'by');
    return () => {
      gateway.slowerMs = 0;
    };
  },
  'gateway-clock-jump': (scene) => {
    scene.fleet.gatewayNamed(scene.incident.on).wrongMs += number(scene, 'by');
    return NOTHING;
  },
  'close-period': ({ fleet, incident, confess }) => {
    // Once the others have heard of it, all of them are asked what it comes to.
    const ask = (): void => {
      for (const gateway of fleet.gateways) askStatements(gateway, (statements) => confess.stated(gateway.id, statements));
    };
    fleet.gatewayNamed(incident.on).call('close', {}, () => void fleet.clock.at(fleet.clock.nowMs + HEARD_OF_MS, ask));
    return NOTHING;
  },
  'rotten-content': (scene) => {
    const { fleet, incident } = scene;
    fleet.gatewayNamed(incident.on).rot(number(scene, 'share'), fleet.chance.fork(`rot ${incident.on} ${fleet.clock.nowMs}`));
    return NOTHING;
  },
  'false-content': ({ fleet, incident }) => {
    const gateway = fleet.gatewayNamed(incident.on);
    gateway.givesFalse++;
    return () => {
      gateway.givesFalse--;
    };
  },
  'forked-log': ({ fleet, incident, confess }) => {
    const gateway = fleet.gatewayNamed(incident.on);
    const victim = fleet.gateways.find(({ id, running: runs }) => id !== gateway.id && runs);
    if (victim === undefined) return NOTHING;
    gateway.lie = makeLiar(fleet.people.keys.crypto, gateway, victim.id);
    confess.lies(gateway.id, victim.id);
    return NOTHING;
  },
} satisfies Partial<Record<FaultKind, OnOther>>;

const isOnBoard = (kind: FaultKind): kind is keyof typeof onBoard => kind in onBoard;
const isOther = (kind: FaultKind): kind is keyof typeof others => kind in others;

/** Lets it happen; returns its end. */
export const befall = (fleet: Fleet, incident: Incident, confess: Confession): Undo => {
  const scene: Scene = { fleet, incident, confess };
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
