import type { Board } from './board.ts';
import { ETHERNET, FILE_SYSTEMS, FIRST, PARTITIONS, STORAGE, WORLD } from './modules.ts';
import { uefi } from './uefi.ts';

export const genericArm64: Board = {
  name: 'generic-arm64',
  says: 'an Arm server or virtual machine with UEFI',
  arch: 'arm64',
  debianArch: 'arm64',
  kernel: 'linux-image-arm64',
  sources: [],
  firmware: uefi('BOOTAA64.EFI', 'systemd-bootaa64.efi'),
  // The last console is where the system speaks; the first hears the kernel, and the board's own journal goes to both.
  commandLine: ['console=ttyAMA0,115200', 'console=tty0', 'panic=10', 'loglevel=4'],
  modules: [
    ...STORAGE,
    ...FILE_SYSTEMS,
    ...PARTITIONS,
    ...WORLD,
    ...ETHERNET,
    'crypto/{crc32c_generic,sha256_generic}.ko.xz',
    'arch/arm64/crypto/sha256-arm64.ko.xz',
    'drivers/gpio/gpio-pl061.ko.xz',
    'drivers/watchdog/sbsa_gwdt.ko.xz',
  ],
  earlyModules: [...STORAGE, ...FIRST, 'arch/arm64/crypto/sha256-arm64.ko.xz', 'drivers/hv/hv_vmbus.ko.xz'],
};
