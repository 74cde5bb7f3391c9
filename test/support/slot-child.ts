/** One update of a card of files, from beginning to end, by the real door: `node slot-child.ts FOLDER RUNNING`. It may be killed on the way. */
import { openSlots } from '../../runtime/adapters/slots/slots.ts';
import { systemdBoot } from '../../runtime/adapters/slots/systemd-boot.ts';
import { receive } from '../contract/receive.ts';
import { slotFilesIn } from './slot-files.ts';
import { system } from './system.ts';

const [, , folder = '', running = 'a'] = process.argv;
const { boot, roots, stage } = slotFilesIn(folder);
const records = systemdBoot({ bootPath: boot, running });
const door = openSlots({
  ...{ bootPath: boot, running, roots, stagePath: stage, records },
  ...{ setWritable: () => {}, forgetCached: () => {}, restart: () => {} },
});
const next = system(2);
await receive(door, next);
door.perform({ kind: 'arm', release: next.release }, (event) => {
  process.stdout.write(`${event.kind}\n`);
});
