/** All that a scenario's file may say, from the top. */
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { SCENARIO } from './bounds.ts';
import { expectShape, incidentShape, mixShape } from './event-file.ts';
import { boardShape, gatewaysShape, linkShape, linksShape, workloadShape } from './fleet-file.ts';
import { list, may, moment, must, name, object, orNull, placed, quantity, text, truth, usually, whole } from './shape.ts';

const pace = (says: string) => may(orNull(placed(quantity('ms', SCENARIO.paceMs))), null, says);

const paceShape = object({
  tick: pace('how often a board looks at its clock; 1s unless given'),
  meter: pace('between two readings of the counters; 60s, and no less than a tick'),
  record: pace('between two signed usage records; 15min, and no less than between two readings'),
  report: pace('between two reports when nothing changed; 60s, and no less than a tick'),
  'board-patience': pace('what takes a board longer is tried again; 10s, and no less than two ticks'),
  'gateway-tick': pace('how often a gateway looks at its clock; 500ms, and half a tick if that is more'),
  silence: pace('after which a peer counts as gone; 5s, and no less than ten ticks of a gateway'),
  keepalive: may(
    orNull(placed(quantity('ms', { least: 1000, most: LIMITS.keepaliveMaxS * 1000 }))),
    null,
    'the longest that a board says nothing; 10s, and no less than two ticks, in whole seconds',
  ),
});
export type PaceRow = (typeof paceShape)['blank'];

export const fileShape = object({
  name: may(orNull(name), null, 'the file or its folder unless given'),
  about: usually(text(SCENARIO.aboutChars), '', 'what happens here and what it shows'),
  seed: usually(whole({ least: 0 }), 1, 'from which everything random is drawn'),
  lasts: must(placed(quantity('ms', SCENARIO.lastsMs)), 'how long, in simulated time'),
  starts: usually(moment, '2026-03-01T06:00Z', 'the wall time at the beginning'),
  gateways: must(gatewaysShape, 'who serves boards'),
  backbone: may(linkShape, { short: { value: 'internet', at: 0, sound: true } }, 'the way between two gateways; internet unless given'),
  links: may(linksShape, [], 'ways of your own, by name'),
  boards: must(list(boardShape, 'groups of boards', { least: 1, most: SCENARIO.groups }), 'the fleet, in groups'),
  workloads: may(list(workloadShape, 'workloads', { most: SCENARIO.workloads }), [], 'what tenants ask for'),
  timeline: may(list(incidentShape, 'incidents', { most: SCENARIO.timelineRows }), [], 'what happens, and when'),
  faults: may(list(mixShape, 'rows of faults', { most: SCENARIO.mixRows }), [], 'what happens by chance, drawn from the seed'),
  swarm: usually(truth, false, 'each seed leaves out about half of the rows of faults, so that the others meet more often'),
  pace: may(paceShape, paceShape.usual, 'how often boards and gateways do what they do all the time'),
  expect: may(list(expectShape, 'expectations', { most: SCENARIO.expectations }), [], 'what has to hold'),
});
export type ScenarioFile = (typeof fileShape)['blank'];
