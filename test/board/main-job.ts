/** The main job on a shipped image, started as on a real machine, whichever it is: paired, given software, billed. */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Board } from '../../firmware-images/boards/board.ts';
import { until } from '../../sim/harness/wait.ts';
import { told } from '../gateway/cli/command.ts';
import { type Federation, makePublisher, openFederation, writeSetup } from './federation.ts';
import type { Direct, Hardware } from './hardware.ts';
import { putOn, type TestImage, testImage, writeCard } from './image.ts';
import { Machine } from './machine.ts';

/** Behind the tables, the boot partition and two slots. */
const DATA_AT = (1 + 128 + 256 + 256) * 1024 ** 2;
const HELLO = fileURLToPath(new URL('../../recipes/hello-sensor', import.meta.url));
/** A hang, also where other things are done at the same time. */
const BOOT_LIMIT_MS = 600_000;

interface Instance {
  name: string;
  report: { state: string; promise: string } | null;
}
interface BoardRow {
  board: string;
  offer: { tier: string; engine: string } | null;
}

/** With as much memory as the smallest board has that such an image is for. */
const MEMORY_MIB = 512;

export interface Kind {
  board: Board;
  hardware: Hardware;
  cardBytes?: number;
  /** What its clock says at the start, as ISO 8601; else the right time. */
  clock?: string;
  /** How a machine without firmware of its own is started from its card; `folder`: for what is taken off it. */
  direct?: (card: string, folder: string) => Direct;
}

/** What is there once the main job is done. */
export interface Job {
  folder: string;
  image: TestImage;
  federation: Federation;
  publisher: string;
  machine: Machine;
  /** Of the machine that starts from this card, and takes it as its own. */
  optionsFor(card: string): ConstructorParameters<typeof Machine>[0];
}

/** `more`: what is tried with that board then. */
export const describeMainJob = ({ board: kind, hardware, cardBytes, clock, direct }: Kind, more?: (job: () => Job) => void): void => {
  describe(kind.name, () => {
    let folder: string;
    let image: TestImage;
    let federation: Federation;
    let machine: Machine;
    let publisher: string;
    let place: Federation['place'];
    const at = (path: string): string => join(folder, path);
    const optionsFor: Job['optionsFor'] = (card) => ({
      ...{
        hardware,
        disks: [{ path: card }],
        memoryMib: MEMORY_MIB,
        reaches: [federation.gateway.ready.port],
        reboots: more !== undefined,
      },
      ...(direct !== undefined && { direct: direct(card, folder) }),
      ...(clock !== undefined && { clock }),
    });

    /** As a person does it: the image on a card, and one file beside it. */
    const prepareCard = async (bytes: number | undefined): Promise<void> => {
      const setup = await writeSetup(federation, 'beech');
      writeCard(image, at('card'), bytes);
      // The card was another board's before.
      const former = ['-q', '-F', '-t', 'ext4', '-L', 'former', '-E', `offset=${DATA_AT}`, at('card'), '256M'];
      execFileSync('mke2fs', former, { env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` } });
      putOn(at('card'), setup, 'lichen.json');
    };

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'lichen-main-job-'));
      image = await testImage(kind);
      federation = await openFederation(folder);
      ({ place } = federation);
      await prepareCard(cardBytes);
      machine = new Machine(optionsFor(at('card')));
    });

    afterAll(async () => {
      await machine?.close();
      await federation?.gateway.stop('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    });

    test('starts from its firmware, makes its data partition and takes its setup', async () => {
      await machine.line(/making the data partition/, BOOT_LIMIT_MS);
      await machine.line(/imported: claim, hostname/, BOOT_LIMIT_MS);
      // Nothing of the former board: ext4 has its label 120 bytes into its first block (ext4's "Disk Layout", s_volume_name).
      const label = Buffer.alloc(16);
      const card = openSync(at('card'), 'r');
      readSync(card, label, 0, label.length, DATA_AT + 1024 + 120);
      closeSync(card);
      expect(label.toString('latin1').replaceAll('\0', '')).toBe('lichen-data');
    });

    test('is paired over TLS at tier full', async () => {
      const running = await machine.line(/"line":"running"/, BOOT_LIMIT_MS);
      const said: { board: string; tier: string; engine: string; lacks: string[] } = JSON.parse(running.slice(running.indexOf('{')));
      expect(said).toMatchObject({ tier: 'full', lacks: [], engine: expect.stringContaining('cgroup v2') });
      const board = await until('the board to be at home', BOOT_LIMIT_MS, async () => {
        const [row] = await told<BoardRow[]>(['board', 'list'], place);
        return row?.offer == null ? null : row;
      });
      expect(board).toMatchObject({ board: said.board, offer: { tier: 'full' } });
    });

    test('is given a release for a request, and its promise holds', async () => {
      const [board] = await told<BoardRow[]>(['board', 'list'], place);
      const terms = [
        '--owner-key',
        'owner.key',
        '--payee',
        'DE02',
        '--currency',
        'EUR',
        '--rate',
        'wallHour=3.6',
        '--rate',
        'cpuSecond=20u',
      ];
      await told(['board', 'bind', '--board', board?.board ?? '', ...terms], place);
      publisher = await makePublisher(federation);
      const recipe = [HELLO, '--key', 'release.key', '--publisher', publisher, '--sequence', '1', '--out', 'hello', '--cache', 'cache'];
      const { release } = await told<{ release: string }>(['release', 'build', ...recipe], place);
      await told(['tenant', 'admit', '--key', 'tenant.key', '--name', 'Museum'], place);
      await told(['release', 'push', 'hello', '--publisher', 'publisher-1.cose'], place);
      const wish = ['--tenant-key', 'tenant.key', '--release', release, '--name', 'museum', '--cap', '5.00', '--currency', 'EUR'];
      await told(['request', 'make', ...wish, '--out', 'museum.request'], place);
      await told(['request', 'push', 'museum.request', 'museum.request.voucher'], place);
      const instance = await until('the promise to hold', BOOT_LIMIT_MS, async () => {
        const [row] = await told<Instance[]>(['instance', 'list'], place);
        return row?.report?.promise === 'held' ? row : null;
      });
      expect(instance).toMatchObject({ name: 'museum', report: { state: 'running' } });
    });

    test('its usage is billed once it has stopped', async () => {
      const { id } = await told<{ id: string }>(['key', 'show', 'tenant.key'], place);
      await told(['request', 'destroy', 'museum', '--tenant-key', 'tenant.key'], place);
      await until('the instance to be gone', BOOT_LIMIT_MS, async () => (await told<Instance[]>(['instance', 'list'], place)).length === 0);
      await told(['invoice', 'close'], place);
      const { invoices } = await told<{ invoices: { totalMicro: string }[] }>(['invoice', 'show', '1', '--tenant', id], place);
      expect(invoices).toHaveLength(1);
      expect(Number(invoices[0]?.totalMicro)).toBeGreaterThan(0);
      await told(['invoice', 'keep', '1', 'evidence'], place);
      expect(await told(['invoice', 'audit', 'evidence'], place)).toMatchObject({ ok: true, findings: [] });
    });

    more?.(() => ({ folder, image, federation, publisher, machine, optionsFor }));
  });
};
