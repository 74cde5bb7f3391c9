/**
 * What each profile of a board is made of: figures of the maker where there are any, else measurements that others
 * published, else an estimate that says so. Every part of the virtual hardware takes its parameters from here.
 *
 * Where the figures come from
 * - cores, clock, memory: product briefs on datasheets.raspberrypi.com (Zero 2 W: 4 × Cortex-A53, 1.0 GHz; 3B: 4 × A53,
 *   1.2 GHz; 4B: 4 × A72, 1.5 GHz; 5: 4 × A76, 2.4 GHz).
 * - speed: sysbench 1.0.20, one thread, 3B+ 687, 4B 1478, 5 2737 events/s (leoncode.co.uk/articles/raspberry-pi-benchmarks);
 *   the 3B and the Zero 2 W are the A53 of the 3B+ at 1.2 and 1.0 instead of 1.4 GHz.
 * - watts: 3B 1.4 idle and 3.7 on four cores, 4B 2.7 and 6.4 (pidramble.com, power consumption benchmarks); Zero 2 W 0.6
 *   idle (cnx-software.com, 2021-12-09) and 1.4 over the Zero's 1.2 (andrejacobs.org, Zero 2 W temperature and power).
 *   Pi 5: idle as the Pi 4 (raspberrypi.com, Heating and cooling Raspberry Pi 5), all cores estimated.
 * - heat: throttled between 80 and 85 °C, hard from 85 on (raspberrypi.com, Frequency management and thermal control).
 *   °C/W and time constant are fitted: Zero 2 W to 47 °C idle, 73 °C on two cores and 3.5 minutes to 80 °C on four
 *   (scruss.com, 2021-11-12); 4B to 27.4 °C over the air when idle (pi-plates.com, THERMOplate on the RPi 4), reaching
 *   80 °C in a few minutes bare (djstein.com, case test); 3B to 80 °C and more under load (raspberrypi/linux issue 1337);
 *   5 to 50 °C idle without a cooler.
 * - floor of the clock when throttled: 600 MHz on Zero 2 W, 3B and 4B (the same issue), 1.5 GHz on the 5, which is then
 *   still faster than a 4B at full speed, as its maker says.
 * - watchdog: the timer of the BCM2835 and its heirs has 20 bits at 16 µs; Linux's bcm2835_wdt allows 15 s. Others: 60 s,
 *   the default of softdog and of most drivers.
 * - systemMib: 36 MB for the image's system and 87 MB for the runtime (measured: docs/benchmarks.md), and on the boards up
 *   to the 4B 64 MB that the firmware keeps for its VideoCore (gpu_mem).
 * - bootMs: from power to the runtime's first instruction. The generic ones were measured in QEMU (arm64 12 to 20 s, amd64
 *   with UEFI 21 s); the others are estimates between those and the emulated Pi 3 (33 s).
 * - peakMilliAmps: the current that the maker asks of a supply; one that gives less sags.
 */
import type { ProfileName, SensorSpec } from '../scenario/scenario.ts';

export type BusName = SensorSpec['bus'];

export interface Thermal {
  /** Of the processor over the air, at rest, for each watt of the whole board. */
  cPerWatt: number;
  /** In which 63 % of a change of temperature have happened. */
  tauS: number;
  /** From here on the clock is lowered, evenly until `hardC`. */
  throttleC: number;
  /** From here on the clock is at its floor. */
  hardC: number;
  /** Speed at the floor, of full speed. */
  throttledPermille: number;
}

export interface Hardware {
  /** For people. */
  title: string;
  /** `/proc/device-tree/model`; without a device tree, what the firmware says of itself. */
  model: string;
  arch: 'arm64' | 'x64';
  tier: 'full' | 'reduced' | 'dev';
  /** What the kernel of this board's image enforces. */
  enforces: { memory: boolean; cpu: boolean; pids: boolean; network: boolean; disk: boolean; deadline: boolean };
  cores: number;
  /** Thousandths of a core, all cores together. */
  cpuMillis: number;
  /** One core, of a Pi 4's. */
  speedPermille: number;
  memoryMib: number;
  /** What firmware, system and runtime take of it. */
  systemMib: number;
  idleWatts: number;
  /** All cores busy at full speed. */
  maxWatts: number;
  peakMilliAmps: number;
  thermal: Thermal;
  /** What `clock.rtc` is unless the scenario says otherwise. */
  hasRtc: boolean;
  buses: BusName[];
  /** The longest time-out that its watchdog can be given. */
  watchdogMs: number;
  bootMs: number;
  /** The kind of image that it is started from, and whether its start counts slots, so that its system can be replaced. */
  image: 'pi' | 'generic-arm64' | 'generic-amd64';
  hasSlots: boolean;
}

/** Debian 13's kernel with cgroup v2, as in the images. */
const FULL = {
  tier: 'full',
  enforces: { memory: true, cpu: true, pids: true, network: true, disk: true, deadline: true },
} as const;

const HEADER: BusName[] = ['gpio', 'i2c', 'iio', '1-wire'];

export const HARDWARE: Record<ProfileName, Hardware> = {
  'pi-zero-2w': {
    ...FULL,
    title: 'Raspberry Pi Zero 2 W',
    model: 'Raspberry Pi Zero 2 W Rev 1.0',
    arch: 'arm64',
    cores: 4,
    cpuMillis: 4000,
    speedPermille: 332,
    memoryMib: 512,
    systemMib: 187,
    idleWatts: 0.6,
    maxWatts: 2.6,
    peakMilliAmps: 2500,
    thermal: { cPerWatt: 26, tauS: 205, throttleC: 80, hardC: 85, throttledPermille: 600 },
    hasRtc: false,
    buses: HEADER,
    watchdogMs: 15_000,
    bootMs: 30_000,
    image: 'pi',
    hasSlots: true,
  },
  'pi-3b': {
    ...FULL,
    title: 'Raspberry Pi 3 Model B',
    model: 'Raspberry Pi 3 Model B Rev 1.2',
    arch: 'arm64',
    cores: 4,
    cpuMillis: 4000,
    speedPermille: 399,
    memoryMib: 1024,
    systemMib: 187,
    idleWatts: 1.4,
    maxWatts: 3.7,
    peakMilliAmps: 2500,
    thermal: { cPerWatt: 16, tauS: 150, throttleC: 80, hardC: 85, throttledPermille: 500 },
    hasRtc: false,
    buses: HEADER,
    watchdogMs: 15_000,
    bootMs: 30_000,
    image: 'pi',
    hasSlots: true,
  },
  'pi-4b': {
    ...FULL,
    title: 'Raspberry Pi 4 Model B, 2 GB',
    model: 'Raspberry Pi 4 Model B Rev 1.4',
    arch: 'arm64',
    cores: 4,
    cpuMillis: 4000,
    speedPermille: 1000,
    memoryMib: 2048,
    systemMib: 187,
    idleWatts: 2.7,
    maxWatts: 6.4,
    peakMilliAmps: 3000,
    thermal: { cPerWatt: 10.1, tauS: 130, throttleC: 80, hardC: 85, throttledPermille: 400 },
    hasRtc: false,
    buses: HEADER,
    watchdogMs: 15_000,
    bootMs: 25_000,
    image: 'pi',
    hasSlots: true,
  },
  'pi-5': {
    ...FULL,
    title: 'Raspberry Pi 5, 4 GB',
    model: 'Raspberry Pi 5 Model B Rev 1.0',
    arch: 'arm64',
    cores: 4,
    cpuMillis: 4000,
    speedPermille: 1852,
    memoryMib: 4096,
    systemMib: 128,
    idleWatts: 2.7,
    maxWatts: 7,
    peakMilliAmps: 5000,
    thermal: { cPerWatt: 9.3, tauS: 120, throttleC: 80, hardC: 85, throttledPermille: 625 },
    // Keeps the time only with its battery, which is sold apart: a board without one says `rtc: false`.
    hasRtc: true,
    buses: HEADER,
    watchdogMs: 15_000,
    bootMs: 20_000,
    image: 'pi',
    // Debian's U-Boot knows it too little: its firmware starts one slot, always.
    hasSlots: false,
  },
  // As QEMU's `virt` machine with four Cortex-A53; watts and heat as those of a small board with a heat sink.
  'generic-arm64': {
    ...FULL,
    title: 'Generic 64-bit Arm board, 2 GB',
    model: 'linux,dummy-virt',
    arch: 'arm64',
    cores: 4,
    cpuMillis: 4000,
    speedPermille: 500,
    memoryMib: 2048,
    systemMib: 128,
    idleWatts: 2,
    maxWatts: 5,
    peakMilliAmps: 3000,
    thermal: { cPerWatt: 9, tauS: 200, throttleC: 85, hardC: 95, throttledPermille: 500 },
    hasRtc: true,
    buses: HEADER,
    watchdogMs: 60_000,
    bootMs: 20_000,
    image: 'generic-arm64',
    hasSlots: true,
  },
  // A fanless thin client with four small cores; estimated throughout. 12 V, so that its amperes are fewer.
  'generic-amd64': {
    ...FULL,
    title: 'Generic 64-bit PC, 4 GB',
    model: 'Standard PC (Q35 + ICH9, 2009)',
    arch: 'x64',
    cores: 4,
    cpuMillis: 4000,
    speedPermille: 3000,
    memoryMib: 4096,
    systemMib: 128,
    idleWatts: 6,
    maxWatts: 20,
    peakMilliAmps: 3000,
    thermal: { cPerWatt: 2.8, tauS: 400, throttleC: 95, hardC: 105, throttledPermille: 400 },
    hasRtc: true,
    // A PC has no header; sensors are those that its USB ports and its firmware show.
    buses: ['i2c', 'iio'],
    watchdogMs: 60_000,
    bootMs: 21_000,
    image: 'generic-amd64',
    hasSlots: true,
  },
};
