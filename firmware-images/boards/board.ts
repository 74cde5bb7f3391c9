/** What tells one kind of image from another. */
export interface Board {
  name: string;
  says: string;
  /** As Node says it, and as Debian does. */
  arch: 'x64' | 'arm64';
  debianArch: 'amd64' | 'arm64';
  /** Debian's package that stands for the newest kernel. */
  kernel: string;
  /** What UEFI starts when nothing else was chosen (UEFI 2.10, section 3.5.1.1), and the loader that is put there. */
  efiName: string;
  loader: string;
  /** Words of the kernel's command line besides the slot's. */
  commandLine: string[];
  /** Patterns of paths below `kernel/`; what these modules need comes along. */
  modules: string[];
  /** Of these, what stands between the firmware and the root. */
  earlyModules: string[];
}
