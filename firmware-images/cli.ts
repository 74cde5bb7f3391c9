/** `lichen image`. Loaded only when it is called: it leads to processes and to much disk. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { refuse } from '../runtime/protocol/errors.ts';
import type { Board } from './boards/board.ts';
import { BOARDS } from './boards/boards.ts';
import { buildImage } from './image.ts';
import { lockPath } from './lock.ts';
import { refreshLock } from './refresh.ts';
import { defaultCache, type Work } from './work.ts';

export interface Terminal {
  print(text: string): void;
  say(text: string): void;
}

interface Flags {
  cache?: string;
  mirror?: string;
  out?: string;
  json?: boolean;
}

const boardNamed = (name: string): Board =>
  BOARDS.find((board) => board.name === name) ??
  refuse('bad-usage', `there is no board "${name}"; there are ${BOARDS.map((board) => board.name).join(', ')}`);

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
  noun
    .command(usage)
    .description(says)
    .addHelpText('before', `Example:\n  lichen ${example}\n`)
    .option('--cache <folder>', 'where fetched and packed parts are kept')
    .option('--mirror <url>', "a Debian mirror (else this machine's own)")
    .option('--json', 'print one JSON line');

export const registerImage = (image: Command, { print, say }: Terminal): void => {
  const boards = BOARDS.map(({ name, says }) => `  ${name.padEnd(16)}${says}`).join('\n');
  addVerb(image, 'build <board>', 'make an image that can be written to a card or a disk', 'image build generic-amd64 --out images')
    .option('--out <folder>', 'where the image goes', 'images')
    .addHelpText('after', `\nBoards:\n${boards}`)
    .action(async (name: string, flags: Flags) => {
      const { report } = await buildImage(workOf(name, flags, say), resolve(flags.out ?? 'images'));
      const { image: path, imageBytes, sha256, seconds } = report;
      print(
        flags.json === true
          ? JSON.stringify(report)
          : `${path}\n${(imageBytes / 2 ** 20).toFixed(0)} MiB, SHA-256 ${sha256}, ${seconds.toFixed(1)} s\nWrite it to a card, put lichen.json on its first partition, and start the board.`,
      );
    });
  addVerb(image, 'lock <board>', 'pin the newest Debian packages that the image is made of', 'image lock generic-amd64').action(
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
