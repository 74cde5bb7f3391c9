/** A board is paired over the network: where nothing is heard there, it is not. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { boards } from '../../../gateway/core/tables.ts';
import { Fleet } from '../../../sim/fleet/fleet.ts';
import { Witness } from '../../../sim/fleet/witness.ts';
import { messageCarrier } from '../../../sim/net/messages.ts';
import { createJudge } from '../../../sim/oracle/judge.ts';
import { readScenario } from '../../../sim/scenario/read.ts';
import { chanceFrom } from '../../../sim/world/chance.ts';
import { virtualClock } from '../../../sim/world/clock.ts';
import { standInKeys } from '../../../sim/world/crypto.ts';
import { startTrace } from '../../../sim/world/trace.ts';

const MINUTE = 60_000;
const recipe = (name: string): string => readFileSync(join(import.meta.dirname, '../../../recipes', name, 'recipe.yaml'), 'utf8');

test.each([{ captive: true }, { deaf: true, mute: true }])('not while its way is so: %j', (trouble) => {
  const text = 'lasts: 1h\ngateways: [north]\nboards: [{ name: shed }]\nworkloads: []\n';
  const scenario = readScenario(text, 'small.yaml', { recipe, recipes: () => [], trace: () => null });
  if (Array.isArray(scenario)) throw new Error(JSON.stringify(scenario));
  const [clock, chance, keys] = [virtualClock(), chanceFrom('pairing'), standInKeys()];
  const witness = new Witness(clock, createJudge({ crypto: keys.crypto, limits: {} }), startTrace(), null);
  const fleet = new Fleet({
    ...{ scenario, seed: 1, keys, clock, chance, witness },
    carrier: (paths, heard, frameHeard) => messageCarrier({ clock, paths, heard, frameHeard, chance }),
  });
  witness.names = fleet;
  fleet.begin();
  clock.runTo(1);
  const [shed, north] = [fleet.boardsNamed('shed')[0], fleet.gatewayNamed('north')];
  if (shed === undefined) throw new Error('nobody joined');
  const isPaired = (): boolean => north.read((rows) => boards.get(rows, shed.id)) !== null;
  const end = fleet.troubles.begin(shed.at, trouble);
  clock.runTo(10 * MINUTE);
  expect([shed.up, isPaired()]).toEqual([true, false]);
  end();
  clock.runTo(11 * MINUTE);
  expect([isPaired(), shed.linkedTo]).toEqual([true, north.id]);
});
