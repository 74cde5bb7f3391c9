/** What an image is made of besides the runtime: programs by the package that brings them. Their libraries follow by themselves. */

import type { Board, Taken } from './boards/board.ts';
import { REGULATORY, WIFI_PROGRAMS } from './boards/wifi.ts';

export const PROGRAMS: Record<string, string[]> = {
  'busybox-static': ['usr/bin/busybox'],
  conmon: ['usr/bin/conmon'],
  crun: ['usr/bin/crun'],
  // /bin/sh: busybox's own shell takes an applet of its own before a program of the same name, such as ip and mke2fs.
  dash: ['usr/bin/dash'],
  e2fsprogs: ['usr/bin/chattr', 'usr/sbin/e2fsck', 'usr/sbin/mke2fs', 'usr/sbin/resize2fs'],
  fdisk: ['usr/sbin/sfdisk'],
  iproute2: ['usr/bin/ip'],
  nftables: ['usr/sbin/nft'],
  'util-linux': ['usr/bin/nsenter', 'usr/bin/partx', 'usr/bin/unshare'],
  // Its quotas of projects serve ext4 as well, and it needs no library of its own, where setquota brings Kerberos.
  xfsprogs: ['usr/sbin/xfs_quota'],
};

/** Of the first root: it makes the root's own check (verity) before anything of the root is read. */
export const FIRST_PROGRAMS: Record<string, string[]> = { dmsetup: ['usr/sbin/dmsetup'] };

/** Where Debian puts the libraries of one processor, below `usr/lib`. */
const LIBRARIES: Record<Board['debianArch'], string> = { amd64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' };

/** Not in any image: laid over one on a second disk when tests are run inside it. */
export const benchPrograms = ({ debianArch }: Board): Record<string, string[]> => ({
  bash: ['usr/bin/bash'],
  // What Vitest's own libraries need of the C library, and nothing in an image does.
  libc6: [`usr/lib/${LIBRARIES[debianArch]}/librt.so.1`],
  // A network without wires that is all in one machine: whoever joins, and whoever is joined.
  ...WIFI_PROGRAMS,
  hostapd: ['usr/sbin/hostapd'],
  'perl-base': ['usr/bin/perl'],
  strace: ['usr/bin/strace'],
});

export const BENCH_FILES: Taken[] = REGULATORY;
/** What lays one tree over another, radios that are none, and the ciphers that others do themselves. */
export const BENCH_MODULES = [
  'fs/overlayfs/**',
  'drivers/net/wireless/virtual/mac80211_hwsim.ko.xz',
  'crypto/{aes_generic,ccm,cmac,ctr,gcm,ghash-generic}.ko.xz',
];

/** Packages whose files nobody names in a header, by what asks for them: mke2fs reads its defaults. */
export const FILES: Record<string, string[]> = { e2fsprogs: ['etc/mke2fs.conf'] };

/** Names under which busybox is called by our scripts, the kernel, the runtime and its tests; `busybox NAME` calls any other. */
export const APPLETS = [
  ...['[', 'awk', 'basename', 'cat', 'chmod', 'cp', 'cut', 'date', 'dd', 'df', 'dirname', 'dmesg', 'du', 'env', 'false', 'find', 'grep'],
  ...['head', 'hostname', 'id', 'kill', 'ln', 'ls', 'mkdir', 'mkfifo', 'mount', 'mv', 'poweroff', 'ps'],
  ...['readlink', 'reboot', 'rm', 'rmdir', 'sed', 'setsid', 'sleep', 'sort', 'stty', 'sync', 'tail', 'tee', 'test', 'touch'],
  ...['tr', 'true', 'udhcpc', 'uevent', 'umount', 'uname', 'wc', 'watchdog', 'xargs', 'xxd'],
];
