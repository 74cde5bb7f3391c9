/** What an owner reports of a board that nobody here has: read off its kernel, shown while it is unpaired, and by `lichen doctor`. */
import * as v from 'valibot';
import { LIMITS } from './limits.ts';
import { printable } from './printable.ts';

const line = v.pipe(v.string(), v.maxLength(LIMITS.textBytes));
const lines = v.pipe(v.array(line), v.maxLength(256));
const figure = v.pipe(v.number(), v.minValue(0));

export const card = v.strictObject({
  device: line,
  /** As the card says: maker's number, name, date. */
  says: line,
  mib: figure,
  /** eMMC tells how worn it is (JEDEC JESD84-B51: of each kind of cell, tenths of its life that are gone; spares); few cards do. */
  worn: v.nullable(line),
  /** Read from where nobody else reads, so not from memory; null if it could not be. */
  readMibPerS: v.nullable(figure),
});
export type Card = v.InferOutput<typeof card>;

export const hardware = v.strictObject({
  model: line,
  kernel: line,
  /** Of the machine itself, as far as the kernel knows. */
  firmware: line,
  memoryMib: figure,
  availableMib: figure,
  /** Since the kernel began. */
  uptimeS: figure,
  watchdog: lines,
  rtc: lines,
  wifi: lines,
  /** GPIO, I²C, SPI, 1-Wire, serial, cameras. */
  buses: lines,
  /** Degrees Celsius by sensor. */
  temperatures: lines,
  /** Null: the kernel does not tell. */
  throttled: v.nullable(line),
  /** That others on the network may use. */
  addresses: lines,
  card: v.nullable(card),
  /** The slot that was started; null where there are none. */
  slot: v.nullable(line),
  partitions: lines,
});
export type Hardware = v.InferOutput<typeof hardware>;

/** Of a runtime, besides what is below it. */
const running = v.strictObject({
  board: line,
  code: line,
  hostname: line,
  software: line,
  tier: line,
  engine: line,
  lacks: lines,
  /** What it waits for, for people. */
  waits: line,
  /** Of files on the card that were wrong: what and why. */
  wrong: lines,
  /** What its start said last. */
  said: lines,
  /** Of the kernel's clock, when the runtime began. */
  runtimeS: figure,
});

export const hardwareReport = v.strictObject({ v: v.literal(1), hardware, running: v.nullable(running) });
export type HardwareReport = v.InferOutput<typeof hardwareReport>;
export type RunningReport = v.InferOutput<typeof running>;

const listed = (all: string[], none: string): string => (all.length === 0 ? none : all.join(', '));

const cardRow = (found: Card | null): string => {
  if (found === null) return 'not known';
  const { device, says, mib, worn, readMibPerS } = found;
  return `${device}, ${says}, ${mib} MiB, wear ${worn ?? 'not told'}, reads ${readMibPerS === null ? '?' : readMibPerS} MiB/s`;
};

const hardwareRows = (one: Hardware): [string, string][] => [
  ['model', one.model],
  ['kernel', one.kernel],
  ['firmware', one.firmware],
  ['memory', `${one.memoryMib} MiB, ${one.availableMib} free, up ${one.uptimeS.toFixed(0)} s`],
  ['addresses', listed(one.addresses, 'none')],
  ['Wi-Fi', listed(one.wifi, 'none')],
  ['card', cardRow(one.card)],
  ['slot', one.slot ?? 'none'],
  ['partitions', listed(one.partitions, 'not known')],
  ['watchdog', listed(one.watchdog, 'none')],
  ['clock', listed(one.rtc, 'none that keeps time without power')],
  ['buses', listed(one.buses, 'none')],
  ['temperature', listed(one.temperatures, 'not told')],
  ['throttled', one.throttled ?? 'not told'],
];

const runningRows = (one: RunningReport): [string, string][] => [
  ['board', one.board],
  ['code', one.code],
  ['name', one.hostname],
  ['waits for', one.waits],
  ...one.wrong.map((row): [string, string] => ['wrong', row]),
  ['software', `${one.software}, ${one.runtimeS.toFixed(1)} s after the kernel`],
  ['tier', `${one.tier}, ${one.engine}`],
  ['lacks', listed(one.lacks, 'nothing')],
];

/** Rows of a name and what there is to say. */
export const reportRows = ({ running: one, hardware: below }: HardwareReport): [string, string][] => [
  ...(one === null ? [] : runningRows(one)),
  ...hardwareRows(below),
];

/** For a console. */
export const reportText = (report: HardwareReport): string =>
  reportRows(report)
    .map(([name, says]) => printable(`${name.padEnd(12)} ${says}`))
    .join('\n');
