/** U-Boot on a folder instead of a FAT: the image's own script runs in a shell that knows as much of U-Boot as the script asks for. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { entryFile, sumOf } from '../../runtime/adapters/slots/u-boot.ts';
import { noise } from './system.ts';

const SCRIPT = fileURLToPath(new URL('../../firmware-images/boards/boot.cmd', import.meta.url));

/** What the firmware says to whatever it starts. */
const GIVEN = 'panic=10';

/** As much memory as files that were loaded to an address, and words that were put there. A FAT knows no capitals: names of states have them. */
const PLAYED = `
devtype=mmc devnum=0 distro_bootpart=1 fdt_addr=0x8000000
on_card() {
  found=$BOOT$3
  case $3 in
    /lichen/slots/*)
      left=\${3##*/} found=$BOOT/lichen/slots/
      while [ -n "$left" ]; do
        case $left in a*) found=\${found}A ;; b*) found=\${found}B ;; *) found=$found$left left=. ;; esac
        left=\${left#?}
      done
      ;;
  esac
  [ "$1 $2" = "mmc 0:1" ] && [ -e "$found" ]
}
test() { if [ "$1" = -e ]; then on_card "$2" "$3" "$4"; else [ "$@" ]; fi; }
load() {
  on_card "$1" "$2" "$4" || return
  while read -r name filesize sum; do [ "$name" = "$found" ] && break; done << FILES
$FILES
FILES
  eval "file_$3=$found sum_$3=$sum"
}
fatrm() { [ -z "$READ_ONLY" ] && on_card "$1" "$2" "$3" && rm "$found"; }
setenv() { name=$1; shift; eval "$name=\\$*"; }
run() { eval "eval \\"\\$$1\\""; }
env() {
  [ "$1 $2" = "import -t" ] || return
  eval "text=\\$file_$3"
  shift 4
  for wanted in "$@"; do
    while read -r line; do case $line in "$wanted="*) eval "$wanted=\\\${line#*=}" ;; esac; done < "$text"
  done
}
crc32() { eval "word_$3=\\$sum_$1"; }
itest() { eval "held=\\$word_\${1#\\*}"; [ -n "$3" ] && [ $((0x$held)) -eq $((0x$3)) ]; }
fdt() { [ "$1 $2 $3" != "get value given" ] || given="${GIVEN}"; }
booti() { echo "STARTED $slot $bootargs"; exit; }
sleep() { :; }
reset() { exit 1; }
`;

/** One a line: path, bytes in hex, and the sum as U-Boot finds it. */
const filesIn = (boot: string): string =>
  ['a', 'b']
    .map((slot) => join(boot, 'lichen', slot))
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)))
    .map((path) => ({ path, bytes: readFileSync(path) }))
    .map(({ path, bytes }) => `${path} ${bytes.length.toString(16)} ${sumOf(bytes)}`)
    .join('\n');

/** Which slot is started from there, and with which words; null: none is. `readOnly`: the card takes no more writes. */
export const uBootStarts = (boot: string, readOnly = false): { slot: string; words: string } | null => {
  const env = { ...process.env, BOOT: boot, FILES: filesIn(boot), READ_ONLY: readOnly ? '1' : '' };
  try {
    const said = execFileSync('sh', ['-c', `${PLAYED}\n${readFileSync(SCRIPT, 'utf8')}`], { encoding: 'utf8', env });
    const [, slot = '', words = ''] = /^STARTED ([ab]) (.*)$/m.exec(said) ?? [];
    return { slot, words };
  } catch {
    return null;
  }
};

/** A card as it was written. */
export const underUBoot = (boot: string): void => {
  const [linux, first] = [noise('linux', 9000), readFileSync(join(boot, 'lichen', 'a', 'first'))];
  mkdirSync(join(boot, 'lichen', 'slots'));
  writeFileSync(join(boot, 'lichen', 'slots', 'A'), '');
  writeFileSync(join(boot, 'lichen', 'a', 'linux'), linux);
  writeFileSync(join(boot, 'lichen', 'a', 'entry.txt'), entryFile({ linux: sumOf(linux), first: sumOf(first), words: 'quiet' }));
};
