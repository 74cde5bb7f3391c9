/** What tells one kind of image from another. */
import type { Kernel } from '../kernel.ts';
import type { Tree } from '../tree.ts';

export interface Board {
  name: string;
  /** What else it may be asked for by: machines that one image is for. */
  also?: string[];
  says: string;
  /** As Node says it, and as Debian does. */
  arch: 'x64' | 'arm64';
  debianArch: 'amd64' | 'arm64';
  /** Debian's package that stands for the newest kernel, and of which suite it is if not the stable one. */
  kernel: string;
  /** Besides the stable suite's `main`: suite and component. */
  sources: string[];
  firmware: Firmware;
  /** Besides what every image has (contents.ts): programs by the package that brings them. */
  programs?: Record<string, string[]>;
  /** And files, which go where they are in the package if nothing else is said. */
  files?: Taken[];
  /** Words of the kernel's command line besides the slot's. */
  commandLine: string[];
  /** As Raspberry Pi Imager tells its boards apart; none: it is for others. */
  imagerDevices?: ImagerDevice[];
  /** Patterns of paths below `kernel/`; what these modules need comes along. */
  modules: string[];
  /** Of these, what stands between the firmware and the root. */
  earlyModules: string[];
}

/** Of the first thing that Imager asks for; `tags` are those of Raspberry Pi's own list. */
export interface ImagerDevice {
  name: string;
  description: string;
  tags: string[];
}

export interface Taken {
  package: string;
  from: string;
  to?: string;
}

/** What starts a machine, and what it wants to find on the first partition. */
export interface Firmware {
  /** Packages that the files come from. */
  packages: string[];
  /** It reads no GPT, and finds the first partition in the table that was used before. */
  oldTable: boolean;
  tree(parts: BootParts): Tree;
}

export interface BootParts {
  /** Unpacked packages by name. */
  trees: Map<string, string>;
  kernel: Kernel;
  /** The first root, packed. */
  first: Buffer;
  commandLine: string;
}
