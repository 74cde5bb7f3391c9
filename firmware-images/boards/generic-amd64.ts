import type { Board } from './board.ts';
import { ETHERNET, FILE_SYSTEMS, FIRST, PARTITIONS, STORAGE, WORLD } from './modules.ts';
import { uefi } from './uefi.ts';

export const genericAmd64: Board = {
  name: 'generic-amd64',
  says: 'a PC or a virtual machine with UEFI',
  arch: 'x64',
  debianArch: 'amd64',
  kernel: 'linux-image-amd64',
  sources: [],
  firmware: uefi('BOOTX64.EFI', 'systemd-bootx64.efi'),
  // The last console is where the system speaks; the first hears the kernel, and the board's own journal goes to both.
  commandLine: ['console=ttyS0,115200', 'console=tty0', 'panic=10', 'loglevel=4'],
  modules: [
    ...STORAGE,
    ...FILE_SYSTEMS,
    ...PARTITIONS,
    ...WORLD,
    ...ETHERNET,
    'crypto/{crc32c_generic,sha256_generic}.ko.xz',
    'arch/x86/crypto/{sha256-ssse3,crc32c-intel}.ko.xz',
  ],
  earlyModules: [...STORAGE, ...FIRST, 'arch/x86/crypto/{sha256-ssse3,crc32c-intel}.ko.xz', 'drivers/hv/hv_vmbus.ko.xz'],
};
