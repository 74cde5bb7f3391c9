/** One board of an image with its gateway and owner, who has it follow a publisher of systems. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Tree } from '../../firmware-images/tree.ts';
import { told } from '../gateway/cli/command.ts';
import { type BoardRow, type Federation, makePublisher, openFederation, writeSetup } from './federation.ts';
import { otherImage, putOn, type TestImage, testImage, writeCard } from './image.ts';
import { Machine } from './machine.ts';

export const BOOT_LIMIT_MS = 600_000;
/** The running slot is read, cut and copied by an emulated processor. */
export const UPDATE_LIMIT_MS = 1_200_000;

export const phase = ({ system }: BoardRow): string => `${system?.slot} ${system?.update?.phase ?? '-'}`;
export const runs = (release: string) => (row: BoardRow) =>
  row.here && row.system?.release === release && row.system.update?.phase === 'kept';

export class Updating {
  readonly folder: string;
  readonly image: TestImage;
  readonly federation: Federation;
  readonly publisher: string;
  /** The last one is the board as it runs; a test that failed may have left one before it. */
  readonly #started: Machine[] = [];

  private constructor(folder: string, image: TestImage, federation: Federation, publisher: string) {
    this.folder = folder;
    this.image = image;
    this.federation = federation;
    this.publisher = publisher;
  }

  static async open(hostname: string): Promise<Updating> {
    const folder = mkdtempSync(join(tmpdir(), 'lichen-update-'));
    const image = await testImage();
    const federation = await openFederation(folder);
    const updating = new Updating(folder, image, federation, await makePublisher(federation));
    const setup = await writeSetup(federation, hostname);
    writeCard(image, updating.card);
    putOn(updating.card, setup, 'lichen.json');
    return updating;
  }

  at(path: string): string {
    return join(this.folder, path);
  }

  get card(): string {
    return this.at('card');
  }

  get machine(): Machine {
    const last = this.#started.at(-1);
    if (last === undefined) throw new Error('no board was started');
    return last;
  }

  start(): Machine {
    const reaches = [this.federation.gateway.ready.port];
    const machine = new Machine({ disks: [{ path: this.card }], memoryMib: 512, reboots: true, reaches });
    this.#started.push(machine);
    return machine;
  }

  /** Which words make a release of an image. */
  async #release(imagePath: string, sequence: number): Promise<string> {
    const words = ['--key', 'release.key', '--publisher', this.publisher, '--sequence', String(sequence), '--label', `test ${sequence}`];
    const wanted = ['image', 'release', imagePath, ...words, '--out', `system-${sequence}`];
    return (await told<{ release: string }>(wanted, this.federation.place)).release;
  }

  /** The system that the card came with, as a bundle that nobody is given: `system-<sequence>`. */
  async first(sequence: number): Promise<void> {
    await this.#release(this.image.path, sequence);
  }

  /** Makes and pushes a system, `system-<sequence>`. */
  async offer(sequence: number, change: (root: Tree) => void): Promise<string> {
    const path = this.at(`system-${sequence}.img`);
    await otherImage(this.image, path, change);
    const release = await this.#release(path, sequence);
    await told(['release', 'push', `system-${sequence}`, '--publisher', 'publisher-1.cose'], this.federation.place);
    rmSync(path);
    return release;
  }

  /** The board's owner has it follow the publisher from now on. */
  async follow(board: string): Promise<void> {
    await told(['board', 'update', '--board', board, '--owner-key', 'owner.key', '--publisher', this.publisher], this.federation.place);
  }

  async close(): Promise<void> {
    for (const machine of this.#started) await machine.close();
    await this.federation.gateway.stop('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }
}
