/** What each fault of a board does to it. */
import { rotten } from '../hardware/card.ts';
import { SENSOR_FAULTS } from '../hardware/sensor.ts';
import type { FaultKind } from '../scenario/faults.ts';
import type { VirtualBoard } from './board.ts';
import { NOTHING, number, POWER_CYCLE_MS, type Scene, type Undo, word } from './incident.ts';
import type { BoardSlots } from './slots.ts';
import { SYSTEM_ILLS, type SystemIll } from './systems.ts';

export type OnBoard = (scene: Scene, board: VirtualBoard) => Undo;

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

const RESTART_MS = 5_000;

const cutPower = ({ fleet }: Scene, board: VirtualBoard): Undo => {
  board.power.cut(fleet.clock.nowMs);
  board.feed();
  return () => {
    board.power.restore(fleet.clock.nowMs);
    board.feed();
  };
};

/** In the middle of the n-th write from now on; the power comes back `forMs` later. */
export const cutAtWrite = (scene: Scene, board: VirtualBoard, left: number, of: 'any' | 'file' = 'any'): Undo => {
  const { fleet, incident } = scene;
  const armed = {
    ...{ left, of },
    act: () => {
      scene.hit();
      const restore = cutPower(scene, board);
      fleet.clock.at(fleet.clock.nowMs + (incident.forMs ?? POWER_CYCLE_MS), restore);
    },
  };
  board.writes.cut = armed;
  return () => {
    if (board.writes.cut === armed) board.writes.cut = null;
  };
};

const isSensorFault = (how: string): how is (typeof SENSOR_FAULTS)[number] => SENSOR_FAULTS.some((known) => known === how);

const isIll = (how: string): how is SystemIll => SYSTEM_ILLS.some((known) => known === how);

/** A newer system for all boards of its kind. */
const bring = ({ fleet, hit }: Scene, { hardware }: VirtualBoard, ill: SystemIll | null, done: () => void = () => {}): Undo => {
  hit();
  fleet.bringSystem(hardware, ill, done);
  return NOTHING;
};

/** At the n-th change of its slots from now on. */
const cutAtSlot = (scene: Scene, board: VirtualBoard, slots: BoardSlots): Undo => {
  const { fleet, incident } = scene;
  return slots.cutAt(Math.max(1, number(scene, 'write')), () => {
    scene.hit();
    const restore = cutPower(scene, board);
    fleet.clock.at(fleet.clock.nowMs + (incident.forMs ?? POWER_CYCLE_MS), restore);
  });
};

export const onBoard = {
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
    const { card } = board;
    confess.cardFault(board, 'full');
    const end = card.stuff();
    return () => {
      end();
      if (!card.isStuffed) confess.cardFault(board, 'room');
    };
  }),
  'slow-card': powered((scene, { card }) => card.slow(number(scene, 'by'))),
  'cloned-card': ({ fleet, confess, hit }, board) => {
    hit();
    confess.cardFault(board, 'cloned');
    const clone = fleet.addBoard(board.spec, board);
    clone.feed();
    return () => fleet.removeBoard(clone);
  },
  heat: powered((scene, { warmth }) => warmth.heat(number(scene, 'ambient'))),
  'sensor-fault': (scene, board) => {
    const how = word(scene, 'how');
    if (!isSensorFault(how)) return NOTHING;
    // It has hit something once a program reads what is wrong.
    const ends = board.sensors.map((sensor) => sensor.fail(scene.fleet.clock.nowMs, how, scene.hit));
    return () => {
      for (const end of ends) end();
    };
  },
  'good-system': (scene, board) => bring(scene, board, null),
  'bad-system': (scene, board) => {
    const how = word(scene, 'how');
    return isIll(how) ? bring(scene, board, how) : NOTHING;
  },
  'interrupted-system': (scene, { hardware }) => {
    const ends: Undo[] = [];
    scene.fleet.bringSystem(hardware, null, () => {
      for (const board of scene.fleet.boards)
        if (board.slots !== null && board.hardware.image === hardware.image) ends.push(cutAtSlot(scene, board, board.slots));
    });
    return () => {
      for (const end of ends) end();
    };
  },
} satisfies Partial<Record<FaultKind, OnBoard>>;
