/** What a scenario's file may say of gateways, links, boards and workloads. */
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { HARDWARE } from '../hardware/profiles.ts';
import { SCENARIO } from './bounds.ts';
import { LINKS } from './link-presets.ts';
import { type PowerSpec, PROFILES } from './scenario.ts';
import {
  decimal,
  described,
  list,
  may,
  must,
  name,
  named,
  object,
  oneOrMany,
  orNull,
  placed,
  quantity,
  range,
  reference,
  type Shape,
  shortOrMap,
  text,
  truth,
  usually,
  usuallyAt,
  whole,
  word,
} from './shape.ts';

const PATH_CHARS = 255;
const DAY_MS = 86_400_000;
const YEAR_MS = 366 * DAY_MS;

const gatewayMap = object({
  name: must(placed(name), 'what the rest of the file calls it'),
  region: may(orNull(name), null, 'the boards it is home to; its name unless given'),
  content: may(orNull(quantity('bytes', { least: 1 })), null, 'of releases it holds at most so much; 16 GiB unless given'),
});
export const gatewaysShape = list(shortOrMap(placed(name), gatewayMap), 'gateways', { least: 1, most: LIMITS.gateways });

const linkMap = object({
  like: may(orNull(placed(reference)), null, 'the preset that gives all that is not said here; wifi unless given'),
  latency: may(orNull(quantity('ms', { most: 60_000 })), null, 'one way'),
  jitter: may(orNull(quantity('ms', { most: 60_000 })), null, 'added to the latency, evenly spread from nothing to this'),
  loss: may(orNull(quantity('permille', { most: 900 })), null, 'share of the packets; a lost one comes later'),
  speed: may(orNull(quantity('bytesPerS', { least: 10 })), null, 'in each direction'),
});
export type LinkMap = (typeof linkMap)['blank'];

/** A preset, a name from `links`, or written out. */
const linkWord: Shape<string> = {
  ...reference,
  schema: { anyOf: [described(LINKS), { type: 'string', description: 'a name from links' }] },
};
export const linkShape = shortOrMap(placed(linkWord), linkMap);
export type LinkChoice = (typeof linkShape)['blank'];
export const linksShape = named(linkMap);

const SOLAR = { batteryWh: 40, chargedPermille: 800, panelW: 20, sunHours: 9, cloudPermille: 300 };
const BATTERY = { batteryWh: 40, chargedPermille: 1000 };
const POWER_KINDS = {
  mains: { says: 'a supply that never fails, but for the faults' },
  solar: { says: 'a battery under a panel' },
  battery: { says: 'a battery that nothing charges' },
};
type PowerKind = PowerSpec['kind'];
const powerKinds: readonly PowerKind[] = ['mains', 'solar', 'battery'];

export const powerShape = shortOrMap(
  word('kind of power', powerKinds, described(POWER_KINDS)),
  object({
    kind: must(placed(word('kind of power', powerKinds, described(POWER_KINDS))), 'where the power comes from'),
    battery: may(
      orNull(placed(quantity('wattHours', { least: 0.1, most: 100_000 }))),
      null,
      'how much the battery holds; 40Wh unless given',
    ),
    charged: may(
      orNull(placed(quantity('permille', { most: 1000 }))),
      null,
      'how full it is at the beginning; 80% under a panel, else 100% unless given',
    ),
    panel: may(orNull(placed(quantity('watts', { most: 10_000 }))), null, 'at noon of a clear day; 20W unless given'),
    sun: may(orNull(placed(quantity('ms', { most: DAY_MS }))), null, 'length of the day; 9h unless given'),
    clouds: may(orNull(placed(quantity('permille', { most: 1000 }))), null, 'how much of the sun they take on average; 30% unless given'),
  }),
);

/** Null where the file named no kind that there is. */
export const powerOf = (choice: (typeof powerShape)['blank']): PowerSpec | null => {
  const kind = 'short' in choice ? choice.short : choice.map.kind.value;
  const map = 'map' in choice ? choice.map : null;
  if (kind === null || kind === 'mains') return kind === null ? null : { kind };
  const usual = kind === 'solar' ? SOLAR : BATTERY;
  const batteryWh = map?.battery?.value ?? usual.batteryWh;
  const chargedPermille = map?.charged?.value ?? usual.chargedPermille;
  if (kind === 'battery') return { kind, batteryWh, chargedPermille };
  const sunHours = map?.sun == null ? SOLAR.sunHours : map.sun.value / 3_600_000;
  return {
    kind,
    batteryWh,
    chargedPermille,
    panelW: map?.panel?.value ?? SOLAR.panelW,
    sunHours,
    cloudPermille: map?.clouds?.value ?? SOLAR.cloudPermille,
  };
};

const cardShape = object({
  size: usuallyAt(quantity('storageMib', SCENARIO.cardMib), '16GiB', 'all of it'),
  used: usually(quantity('permille', { most: 1000 }), '10%', 'taken before anything is written here'),
  'erase-block': usually(
    quantity('bytes', { least: 512, most: 64 * 1024 * 1024 }),
    '4MiB',
    'what is erased at once; a smaller write costs as much',
  ),
  endurance: usually(whole({ least: 1, most: 10_000_000 }), 3000, 'erases of one block before it fails'),
  lies: usually(truth, false, 'answers a sync before it is done'),
});

const clockShape = object({
  rtc: may(orNull(truth), null, 'keeps the time without power; as the profile has it unless given'),
  drift: usually(quantity('ppm', { least: -100_000, most: 100_000 }), '20ppm', 'how much too fast it goes'),
});

const buses: readonly ('gpio' | 'i2c' | 'iio' | '1-wire')[] = ['gpio', 'i2c', 'iio', '1-wire'];

const sensorShape = object({
  name: must(placed(name), 'what workloads read'),
  bus: usuallyAt(word('bus', buses), 'i2c', 'where it is attached'),
  noise: usually(decimal({ least: 0 }), 0, 'added to each value, evenly spread from minus this to this'),
  constant: may(orNull(placed(decimal())), null, 'always this value'),
  sine: may(
    orNull(
      placed(
        object({
          mean: must(decimal(), 'in the middle'),
          swing: must(decimal({ least: 0 }), 'up and down from there'),
          period: usually(quantity('ms', { least: 1000, most: YEAR_MS }), '24h', 'from one top to the next'),
        }),
      ),
    ),
    null,
    'up and down',
  ),
  walk: may(
    orNull(
      placed(
        object({
          from: must(decimal(), 'at the beginning'),
          step: must(decimal({ least: 0 }), 'the most that it changes in a minute'),
          least: must(decimal(), 'goes no lower'),
          most: must(decimal(), 'goes no higher'),
        }),
      ),
    ),
    null,
    'wanders',
  ),
  trace: may(
    orNull(
      placed(
        shortOrMap(
          text(PATH_CHARS),
          object({
            file: must(text(PATH_CHARS), 'CSV or JSON lines, beside the scenario'),
            column: may(orNull(text(63)), null, 'the one with the values; the second unless given'),
            gap: may(
              orNull(quantity('ms', { least: 1, most: YEAR_MS })),
              null,
              'the longest pause that is none; thrice the usual one unless given',
            ),
          }),
        ),
      ),
    ),
    null,
    'what a real sensor told, over and over',
  ),
});
export type SensorRow = (typeof sensorShape)['blank'];

const capacityShape = object({
  memory: may(orNull(placed(quantity('mib', { least: 1 }))), null, 'all that its system leaves unless given'),
  cpu: may(orNull(placed(quantity('cpuMillis', { least: 1 }))), null, 'all cores unless given'),
  partitions: usuallyAt(whole({ least: 1 }), 8, 'how many instances'),
});

const profileRows = Object.fromEntries(PROFILES.map((profile) => [profile, { says: HARDWARE[profile].title }]));

const updatesShape = object({
  wave: may(orNull(whole({ least: 1, most: LIMITS.waves + 1 })), null, 'whose turn it is first, from 1; without one they wait for nobody'),
  bake: usually(
    quantity('ms', { most: LIMITS.bakeMs }),
    '10min',
    'how long a system has to do well in one wave before the next is given it',
  ),
  tolerated: usually(whole({ least: 0, most: LIMITS.replicas }), 0, 'so many boards may fail before nobody else is given it'),
});

export const boardShape = object({
  name: must(placed(name), 'of the group; with a count, its boards are name-1, name-2 and so on'),
  count: usually(whole({ least: 1, most: SCENARIO.boards }), 1, 'how many such boards'),
  profile: usuallyAt(word('profile', PROFILES, described(profileRows)), 'pi-4b', 'what hardware'),
  joins: usuallyAt(range('ms'), '0s', 'when they are paired; a range spreads them over it'),
  link: may(linkShape, { short: { value: 'wifi', at: 0, sound: true } }, 'the way to the gateways; wifi unless given'),
  lan: may(
    orNull(placed(name)),
    null,
    'the network that they share with all boards of the same, and with it one link: that of the first of them',
  ),
  neighbours: usually(truth, true, 'their owner lets them take releases from others of their lan, and give them some'),
  power: may(powerShape, { short: 'mains' }, 'what feeds them; mains unless given'),
  card: may(cardShape, cardShape.usual, 'the SD card'),
  clock: may(clockShape, clockShape.usual, 'the clock'),
  watchdog: usually(truth, true, 'whether something starts it again when it hangs; its system arms that of its profile'),
  updates: may(orNull(placed(updatesShape)), null, 'their owner has their system updated; it stays as it is unless given'),
  sensors: may(list(sensorShape, 'sensors', { most: SCENARIO.sensorsPerBoard }), [], 'what is attached to it'),
  capacity: may(capacityShape, capacityShape.usual, 'what their owner offers'),
});
export type BoardRow = (typeof boardShape)['blank'];

const failures: readonly ('crash' | 'leak' | 'never-green' | 'hook')[] = ['crash', 'leak', 'never-green', 'hook'];

const isolations: readonly ('continue' | 'stop')[] = ['continue', 'stop'];

const usesShape = object({
  cpu: may(orNull(quantity('cpuMillis')), null, "a fifth of the recipe's limit unless given"),
  memory: may(orNull(quantity('mib')), null, "half of the recipe's limit unless given"),
  in: usually(quantity('bytesPerS'), '50B/s', 'from the network'),
  out: usually(quantity('bytesPerS'), '200B/s', 'to the network'),
  disk: usually(quantity('bytesPerS'), '20B/s', 'to the card'),
});

const failsShape = object({
  how: must(word('way to fail', failures), 'what goes wrong'),
  after: usually(quantity('ms'), '0s', 'from its start'),
});

const readMap = object({
  sensor: must(placed(reference), 'its name'),
  least: may(
    orNull(decimal()),
    null,
    'what its program takes for a fair reading is no less, in the unit of the sensor; anything unless given',
  ),
  most: may(orNull(decimal()), null, 'and no more'),
  same: may(
    orNull(placed(quantity('ms', { least: 1000, most: YEAR_MS }))),
    null,
    'and has been exactly the same for less than this; for however long unless given',
  ),
});
export const readShape = shortOrMap(placed(reference), readMap);
export type ReadRow = (typeof readShape)['blank'];

const workloadMap = object({
  recipe: must(placed(reference), 'a folder of recipes/'),
  name: may(orNull(placed(name)), null, 'what the rest of the file calls it; the recipe unless given'),
  replicas: usually(whole({ least: 1, most: LIMITS.replicas }), 1, 'each on a board of its own'),
  uses: may(usesShape, usesShape.usual, 'what an instance uses while it runs'),
  'green-after': usually(quantity('ms', { most: DAY_MS }), '3s', 'from its start until its promises hold'),
  fails: may(orNull(failsShape), null, 'its first release is no good'),
  reads: may(
    oneOrMany(readShape, 'sensors', SCENARIO.sensorsPerBoard),
    [],
    'sensors without which its promises do not hold, nor with what is no fair reading of them; it is granted their buses',
  ),
  content: usually(quantity('bytes', { least: 1, most: LIMITS.releaseBytes }), '256KiB', 'size of its release'),
  asks: usuallyAt(quantity('ms'), '0s', 'when the tenant asks for it'),
  patience: usually(
    quantity('ms', { least: 1000, most: YEAR_MS }),
    '5min',
    'how long a board may be out of reach before another takes over',
  ),
  'on-isolation': usually(
    word('way', isolations),
    'continue',
    'stop: never in two places, and nowhere while no majority of its guardians can be asked',
  ),
  bake: may(
    orNull(quantity('ms', { most: DAY_MS })),
    null,
    'how long a newer release has to hold its promises, or else the last good one takes its place again; null: it does not',
  ),
  snapshots: usually(truth, false, 'with bake: what takes its place again finds /data as it left it'),
  hooks: usually(truth, false, 'snapshots, and hooks that put /data in order before and after an update'),
  canaries: may(
    orNull(whole({ least: 1, most: LIMITS.replicas })),
    null,
    'with bake: how many replicas a newer release reaches first; then half of them, then all; null: all at once',
  ),
  shares: usually(
    whole({ least: 0, most: LIMITS.shares }),
    0,
    'how many shares of its instances its tenant asks for, where its recipe can be shared',
  ),
  region: may(orNull(placed(reference)), null, 'only on boards that are at home there'),
  cap: usually(quantity('micro', { least: 1, most: LIMITS.capMicro }), '1000000 units', 'what the tenant pays at most'),
});
export type WorkloadRow = (typeof workloadMap)['blank'];
export const workloadShape = shortOrMap(placed(reference), workloadMap);

/** What `workloads: [primes]` means. */
export const plainWorkload = (recipe: WorkloadRow['recipe']): WorkloadRow => ({ ...workloadMap.usual, recipe });
