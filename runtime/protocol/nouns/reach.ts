/**
 * What a release wants beyond its partition: addresses outside, other instances, ports of the board, devices. All of it
 * is denied unless the manifest names it, and what leaves the board or touches its hardware unless its owner grants it, too.
 */
import * as v from 'valibot';
import { destinationOf, PRIVATE, type Range } from '../address.ts';
import { refuse } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { name, positive, record } from '../schema.ts';

export const port = v.pipe(positive, v.maxValue(65_535));
export const protocol = v.picklist(['tcp', 'udp']);

const destination = v.custom<string>(
  (input) => typeof input === 'string' && destinationOf(input) !== null,
  'expected "internet", an address, a network such as 192.168.1.0/24 with no bits set below its prefix, or a DNS name with a dot',
);

export const outboundRule = v.strictObject({ to: destination, port, protocol });
/** A port with a name: of another instance, or of this one. */
export const namedPort = v.strictObject({ name, port, protocol });

export const networkSchema = v.strictObject({
  outbound: v.pipe(v.array(outboundRule), v.maxLength(LIMITS.outboundRules)),
  /** Whether it may ask the board's resolvers; names of rules and links are known to it without. */
  dns: v.boolean(),
  /** Ports of instances of the same tenant on the same board; whose instances, its request says. */
  links: v.pipe(v.array(namedPort), v.maxLength(LIMITS.links)),
  /** Own ports that a request may put on ports of the board. */
  publish: v.pipe(v.array(namedPort), v.maxLength(LIMITS.published)),
});
export type NetworkWish = v.InferOutput<typeof networkSchema>;

const DEVICE = /^(gpio|i2c|spi|serial|camera|1wire|usb:[0-9a-f]{4}:[0-9a-f]{4})$/;

export const device = v.custom<string>(
  (input) => typeof input === 'string' && DEVICE.test(input),
  'expected one of gpio, i2c, spi, serial, camera, 1wire, or usb:VENDOR:PRODUCT in hexadecimal digits',
);
export const devicesSchema = v.pipe(v.array(device), v.maxLength(LIMITS.devices));

/** Grants that are no device: addresses of the Internet, and those that only the owner's network has. */
const NETWORKS = ['internet', 'lan'];
/** What an owner lends beside room. */
export const grant = v.custom<string>(
  (input) => typeof input === 'string' && (NETWORKS.includes(input) || DEVICE.test(input)),
  'expected one of internet, lan, gpio, i2c, spi, serial, camera, 1wire, or usb:VENDOR:PRODUCT in hexadecimal digits',
);
/** A board offers links by itself: they leave neither board nor tenant. */
export const offered = v.union([v.literal('links'), grant]);

/** Own names → whose instance, or which port of the board. */
export const linkTargets = v.pipe(record(name, name), v.maxEntries(LIMITS.links));
export const publishedPorts = v.pipe(record(name, port), v.maxEntries(LIMITS.published));
export const portRange = v.strictObject({ first: port, last: port });
export type PortRange = v.InferOutput<typeof portRange>;

interface Wishes {
  network?: NetworkWish | undefined;
  devices?: string[] | undefined;
}

const overlaps = (a: Range, b: Range): boolean => a.bits === b.bits && a.first <= b.last && b.first <= a.last;
const isInside = (a: Range, b: Range): boolean => a.bits === b.bits && a.first >= b.first && a.last <= b.last;

const grantsTo = (to: string): string[] => {
  const found = destinationOf(to);
  if (found === null || found.kind !== 'range') return ['internet'];
  const touched = PRIVATE.some((range) => overlaps(range, found.range));
  const whole = PRIVATE.some((range) => isInside(found.range, range));
  return [...(whole ? [] : ['internet']), ...(touched ? ['lan'] : [])];
};

/** What a board must offer, and its owner grant, before a release may run there; `links` needs no owner. */
export const needsOf = ({ network, devices = [] }: Wishes): string[] => {
  const reached = network?.outbound.flatMap(({ to }) => grantsTo(to)) ?? [];
  const asked = network?.dns === true ? ['internet'] : [];
  const linked = (network?.links.length ?? 0) > 0 ? ['links'] : [];
  return [...new Set([...reached, ...asked, ...linked, ...devices])].sort();
};

/** Those of them that an owner signs for. */
export const grantsOf = (wishes: Wishes): string[] => needsOf(wishes).filter((need) => need !== 'links');

interface Choices {
  name: string;
  links?: Record<string, string> | undefined;
  publish?: Record<string, number> | undefined;
}

/** Own name of a link → the request whose instance it leads to; without a word of the request, the one of the same name. */
export const targetsOf = ({ network }: Wishes, { links = {} }: Choices): Map<string, string> =>
  new Map((network?.links ?? []).map(({ name: own }) => [own, links[own] ?? own]));

export interface Published {
  name: string;
  /** Of the board. */
  outside: number;
  /** Of the instance. */
  inside: number;
  protocol: 'tcp' | 'udp';
}

export const publishedOf = ({ network }: Wishes, { publish = {} }: Choices): Published[] =>
  (network?.publish ?? []).flatMap(({ name: own, port: inside, protocol: by }) => {
    const outside = publish[own];
    return outside === undefined ? [] : [{ name: own, outside, inside, protocol: by }];
  });

/** As it is compared: a port is taken once for each protocol. */
export const placeOfPort = ({ outside, protocol: by }: Pick<Published, 'outside' | 'protocol'>): string => `${by}/${outside}`;

/** What a request may not say of a release, whoever says it. Errors: `bad-schema`, `conflict`. */
export const checkChoices = (wishes: Wishes, choices: Choices): void => {
  const undeclared = (what: string, words: string[], known: string[]): void => {
    const stray = words.find((word) => !known.includes(word));
    if (stray !== undefined) refuse('bad-schema', `${what} ${stray} is not declared by the release`);
  };
  const { network } = wishes;
  undeclared('link', Object.keys(choices.links ?? {}), network?.links.map((link) => link.name) ?? []);
  undeclared('published port', Object.keys(choices.publish ?? {}), network?.publish.map((published) => published.name) ?? []);
  const places = publishedOf(wishes, choices).map(placeOfPort);
  const twice = places.find((place, at) => places.indexOf(place) !== at);
  if (twice !== undefined) refuse('conflict', `${twice} of the board is named twice`);
  if ([...targetsOf(wishes, choices).values()].includes(choices.name)) refuse('bad-schema', `${choices.name} cannot be linked to itself`);
};
