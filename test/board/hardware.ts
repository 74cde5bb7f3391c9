/** The machines that QEMU plays, in software. Each hears the board on its first file and is heard on its standard output. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/** Started by the machine itself, without firmware. */
export interface Direct {
  kernelPath: string;
  /** Of a kernel; a loader finds it by itself. */
  firstPath?: string;
  commandLine: string;
  /** A device tree, where the machine brings none. */
  tablePath?: string;
}

export interface Wanted {
  disks: { path: string; readonly?: boolean }[];
  memoryMib: number;
  processors: number;
  direct: Direct | undefined;
  /** Where the machine keeps what it remembers besides its disks. */
  folder: string;
  /** Whether it starts again when the board says so, or ends. */
  reboots: boolean;
  /** The network, as QEMU's `-netdev` has it, named `wire`; null: there is none. */
  wire: string | null;
  /** Where it takes orders while it runs, and has a place to plug something in; null: nowhere. */
  monitorPath: string | null;
  /** What its clock says at the start. */
  clock: string | undefined;
  /** Besides all this, as QEMU's `-device` has them. */
  devices: string[];
}

export interface Hardware {
  emulator: string;
  /** What it says when it should start again and does not know how. */
  stalls?: RegExp;
  arguments(wanted: Wanted): string[];
}

const quiet = ({ reboots }: Pick<Wanted, 'reboots'>): string[] => ['-nodefaults', '-display', 'none', ...(reboots ? [] : ['-no-reboot'])];

const firmware = (code: string, variables: string, folder: string): string[] => {
  execFileSync('cp', [variables, join(folder, 'variables')]);
  return [
    ...['-drive', `if=pflash,format=raw,unit=0,readonly=on,file=${code}`],
    ...['-drive', `if=pflash,format=raw,unit=1,file=${join(folder, 'variables')}`],
  ];
};

const started = ({ kernelPath, firstPath, commandLine, tablePath }: Direct): string[] => [
  ...['-kernel', kernelPath, '-append', commandLine],
  ...(firstPath === undefined ? [] : ['-initrd', firstPath]),
  ...(tablePath === undefined ? [] : ['-dtb', tablePath]),
];

const virtioDisks = ({ disks }: Wanted): string[] =>
  disks.flatMap(({ path, readonly }, at) => [
    ...['-drive', `if=none,id=disk${at},format=raw,cache=unsafe,file=${path}${readonly === true ? ',readonly=on' : ''}`],
    ...['-device', `virtio-blk-pci,drive=disk${at}`],
  ]);

const virtioRest = ({ memoryMib, processors, wire, clock, devices, monitorPath }: Wanted): string[] => [
  ...devices.flatMap((device) => ['-device', device]),
  ...(monitorPath === null ? [] : ['-monitor', `unix:${monitorPath},server=on,wait=off`, '-device', 'qemu-xhci']),
  ...[
    '-m',
    String(memoryMib),
    '-smp',
    String(processors),
    '-device',
    'virtio-rng-pci',
    ...(clock === undefined ? [] : ['-rtc', `base=${clock}`]),
  ],
  ...(wire === null ? [] : ['-netdev', wire, '-device', 'virtio-net-pci,netdev=wire']),
];

/**
 * What Debian and Node need, and no more: what is wider than 128 bits is emulated by slow helpers, and programs choose it where it is.
 * By AMD, so that the kernel guards against nothing that only Intel's suffer from.
 */
const PROCESSOR = 'Nehalem,vendor=AuthenticAMD';

/** With two processors QEMU 7.2 now and then runs a kernel's breakpoint that was taken away already, and the kernel panics. */
export const PC: Hardware = {
  emulator: 'qemu-system-x86_64',
  arguments: (wanted) => [
    ...[
      ...quiet(wanted),
      '-machine',
      'q35',
      '-accel',
      'tcg',
      '-cpu',
      PROCESSOR,
      '-serial',
      'stdio',
      '-serial',
      `file:${join(wanted.folder, 'result')}`,
    ],
    ...[...virtioDisks(wanted), ...virtioRest(wanted)],
    ...(wanted.direct === undefined
      ? firmware('/usr/share/OVMF/OVMF_CODE_4M.fd', '/usr/share/OVMF/OVMF_VARS_4M.fd', wanted.folder)
      : started(wanted.direct)),
  ],
};

/** An Arm machine that exists nowhere else; `max` would sign pointers, which is slow to play. */
export const VIRT: Hardware = {
  emulator: 'qemu-system-aarch64',
  arguments: (wanted) => [
    ...[...quiet(wanted), '-machine', 'virt', '-accel', 'tcg', '-cpu', 'cortex-a72', '-serial', 'stdio'],
    ...[...virtioDisks(wanted), ...virtioRest(wanted)],
    ...(wanted.direct === undefined
      ? firmware('/usr/share/AAVMF/AAVMF_CODE.fd', '/usr/share/AAVMF/AAVMF_VARS.fd', wanted.folder)
      : started(wanted.direct)),
  ],
};

/**
 * A Raspberry Pi 3 B from what its firmware starts on: QEMU has none of the firmware, one size of memory, and cards of powers of two. Its kernel
 * starts it again by the watchdog, which has to be left out. All four processors in one thread: until there is a kernel three of them wait for it,
 * and as threads they would each take as much as the one that works.
 */
export const PI_3B: Hardware = {
  emulator: 'qemu-system-aarch64',
  stalls: /Reboot failed -- System halted/,
  arguments: ({ disks, direct, wire, reboots, monitorPath }) => [
    ...(monitorPath === null ? [] : ['-monitor', `unix:${monitorPath},server=on,wait=off`]),
    ...[...quiet({ reboots }), '-machine', 'raspi3b', '-accel', 'tcg,thread=single', '-serial', 'null', '-serial', 'stdio'],
    ...disks.flatMap(({ path }) => ['-drive', `if=sd,format=raw,cache=unsafe,file=${path}`]),
    ...(wire === null ? [] : ['-netdev', wire, '-device', 'usb-net,netdev=wire']),
    ...(direct === undefined ? [] : started(direct)),
  ],
};
