/** `lichen image`. Loaded only when it is called: it leads to processes and to much disk. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { refuse } from '../runtime/protocol/errors.ts';
import { type Wanted, writeBeside } from './beside/beside.ts';
import { materialsOf } from './beside/materials.ts';
import { BOARDS, boardNamed, namesOf } from './boards/boards.ts';
import { flashImage } from './flash.ts';
import { buildImage } from './image.ts';
import { type Inspected, inspectImage } from './inspect.ts';
import { lockPath } from './lock.ts';
import { refreshLock } from './refresh.ts';
import { inWords, type ReleaseReport, releaseImage, releaseRuntime } from './release.ts';
import { defaultCache, type Work } from './work.ts';

export interface Terminal {
  print(text: string): void;
  say(text: string): void;
}

interface ReleaseFlags {
  key: string;
  publisher: string;
  sequence: string;
  label: string;
  out: string;
  json?: boolean;
}

interface Flags {
  cache?: string;
  mirror?: string;
  out?: string;
  key?: string;
  url?: string;
  date?: string;
  signer?: string;
  json?: boolean;
}

/** What it printed last is for programs, in exactly these words. */
interface Made {
  board: string;
  image: string;
  downloadBytes: number;
  rootBytes: number;
  sha256: string;
  seconds: number;
}

const workOf = (name: string, flags: Flags, say: (line: string) => void): Work => {
  const started = process.hrtime.bigint();
  const seconds = (): string => (Number((process.hrtime.bigint() - started) / 100_000_000n) / 10).toFixed(1).padStart(6);
  return {
    board: boardNamed(name),
    cachePath: resolve(flags.cache ?? defaultCache()),
    mirror: flags.mirror,
    say: (line) => say(`${seconds()}s  ${line}`),
  };
};

const addVerb = (noun: Command, usage: string, says: string, example: string): Command =>
  noun.command(usage).description(says).addHelpText('before', `Example:\n  lichen ${example}\n`).option('--json', 'print one JSON line');

const withStore = (verb: Command): Command =>
  verb
    .option('--cache <folder>', 'where fetched and packed parts are kept')
    .option('--mirror <url>', "a Debian mirror (else this machine's own)");

const imagerOf = ({ url, date }: Flags): Wanted['imager'] => {
  if (url === undefined) return undefined;
  if (date === undefined || !/^\d{4}-\d\d-\d\d$/.test(date)) return refuse('bad-usage', '--url goes with --date YYYY-MM-DD');
  return { url, date };
};

const make = async (work: Work, flags: Flags): Promise<Made> => {
  const started = process.hrtime.bigint();
  const { board, say } = work;
  const imager = imagerOf(flags);
  const { parts, report } = await buildImage(work, resolve(flags.out ?? 'images'));
  const { image, rootBytes, sha256 } = report;
  const materials = materialsOf(parts.sources);
  const downloadBytes = await writeBeside({ board, image, sha256, materials, keyPath: flags.key, imager, say });
  const seconds = Number((process.hrtime.bigint() - started) / 1_000_000n) / 1000;
  return { board: board.name, image, downloadBytes, rootBytes, sha256, seconds };
};

const MIB = 2 ** 20;
const inMib = (bytes: number): string => `${(bytes / MIB).toFixed(1)} MiB`;

const registerBuild = (image: Command, { print, say }: Terminal): void => {
  const boards = BOARDS.map((board) => `  ${namesOf(board).join(', ')}\n      ${board.says}`).join('\n');
  withStore(
    addVerb(image, 'build <board>', 'make an image that can be written to a card or a disk', 'image build generic-amd64 --out images'),
  )
    .option('--out <folder>', 'where the image goes', 'images')
    .option('--key <file>', 'signs the sums of the image')
    .option('--url <address>', 'where the files will be: writes a list for Raspberry Pi Imager')
    .option('--date <day>', 'the day that this list says, YYYY-MM-DD')
    .addHelpText('after', `\nBoards:\n${boards}`)
    .action(async (name: string, flags: Flags) => {
      const made = await make(workOf(name, flags, say), flags);
      if (flags.json === true) return print(JSON.stringify(made));
      print(`${made.image}\n${inMib(made.downloadBytes)} packed, SHA-256 ${made.sha256}, ${made.seconds.toFixed(1)} s`);
      print('Write it to a card, put lichen.json on its first partition, and start the board.');
    });
  withStore(addVerb(image, 'lock <board>', 'pin the newest Debian packages that the image is made of', 'image lock generic-amd64')).action(
    async (name: string, flags: Flags) => {
      const work = workOf(name, flags, say);
      const packages = await refreshLock(work);
      const path = lockPath(work.board);
      print(
        flags.json === true
          ? JSON.stringify({ lock: path, packages: packages.length })
          : `${packages.length} packages are pinned in ${path}.`,
      );
    },
  );
};

const inspectedText = ({ board, bytes, sha256, parts, sum, signed }: Inspected): string[] => [
  `${board ?? 'no image of ours that this version knows, or packed'}, ${inMib(bytes)}, SHA-256 ${sha256}`,
  ...parts.map((part) => `  ${part.name.padEnd(14)} ${inMib(part.bytes).padStart(10)} at ${inMib(part.start)}`),
  `sums beside it: ${sum ?? 'none'}${signed === null ? '' : signed ? ', signed by that key' : ', NOT signed by that key'}`,
];

const registerUse = (image: Command, { print, say }: Terminal): void => {
  addVerb(
    image,
    'inspect <file>',
    'say what an image is, and whether it is what the sums beside it say',
    'image inspect images/lichen-pi.img',
  )
    .option('--signer <hex>', 'the key that signed these sums')
    .action(async (file: string, flags: Flags) => {
      const found = await inspectImage(resolve(file), flags.signer);
      const wrong = [
        ...(found.sum === 'different' ? ['it has not the sum that stands beside it'] : []),
        ...(found.signed === false ? ['what stands beside it is not signed by that key'] : []),
      ];
      if (flags.json !== true) for (const line of inspectedText(found)) print(line);
      if (wrong.length > 0) refuse('image-failed', `${file} is not what it should be: ${wrong.join(', and ')}. Fetch it anew`);
      if (flags.json === true) print(JSON.stringify(found));
    });
  addVerb(
    image,
    'flash <file> <device>',
    'write an image to a card or a drive, and read it back',
    'image flash images/lichen-pi.img.xz /dev/sdX',
  )
    .addHelpText('after', '\nAll that is on the device is lost, and nothing is asked. What is mounted or otherwise in use is refused.')
    .action(async (file: string, device: string, flags: Flags) => {
      const flashed = await flashImage({ image: resolve(file), device: resolve(device), say });
      print(
        flags.json === true
          ? JSON.stringify(flashed)
          : `${flashed.device} holds it, read back: ${inMib(flashed.bytes)}, SHA-256 ${flashed.sha256}`,
      );
    });
};

const withSigning = (verb: Command): Command =>
  verb
    .requiredOption('--key <file>', "the publisher's key file")
    .requiredOption('--publisher <id>', "the publisher's id")
    .requiredOption('--sequence <number>', 'rises with every such release; boards take none lower')
    .requiredOption('--label <text>', 'the version, for people')
    .requiredOption('--out <folder>', 'where the pieces of the release go');

const signingOf = ({ key: keyPath, publisher, sequence: text, label, out: outPath }: ReleaseFlags) => {
  const sequence = Number(text);
  if (!Number.isSafeInteger(sequence) || sequence < 1) refuse('bad-usage', `--sequence is a number from 1 on, not "${text}"`);
  return { keyPath, publisher, sequence, label, outPath };
};

const registerRelease = (image: Command, { print, say }: Terminal): void => {
  const told = (made: ReleaseReport, { json, out }: ReleaseFlags): void => print(json === true ? JSON.stringify(made) : inWords(made, out));
  const words = '--key release.key --publisher ID --sequence 2 --label 2026.2';
  withSigning(
    addVerb(
      image,
      'release <file>',
      'sign the system of an image as a release, which boards of its kind can be updated to',
      `image release images/lichen-generic-amd64.img ${words} --out amd64-2`,
    ),
  ).action(async (file: string, flags: ReleaseFlags) => told(await releaseImage({ image: resolve(file), ...signingOf(flags) }), flags));
  withStore(
    withSigning(
      addVerb(
        image,
        'runtime <board>',
        'sign the runtime alone as a release: boards of that kind are updated to it while their instances run on',
        `image runtime generic-amd64 ${words} --out runtime-2`,
      ),
    ),
  ).action(async (name: string, flags: ReleaseFlags & Flags) =>
    told(await releaseRuntime(workOf(name, flags, say), signingOf(flags)), flags),
  );
};

export const registerImage = (image: Command, terminal: Terminal): void => {
  registerBuild(image, terminal);
  registerUse(image, terminal);
  registerRelease(image, terminal);
};
