/**
 * The packet filters, as text for nft. One table in each partition's own namespace says what passes; it binds the
 * workload, which has no capability there, and goes with the namespace. Where the machine forwards there is a second one,
 * on the board and with the board's name: it translates addresses, lets nobody in, and denies once more.
 */
import type { NetworkPolicy } from '../../ports/partitions.ts';
import { destinationOf, isPrivate, PRIVATE_V4 } from '../../protocol/address.ts';

export interface Families {
  v4: boolean;
  v6: boolean;
}

/** A partition's place in the network. */
export interface Wiring {
  /** The board's end of its link. */
  link: string;
  address: string;
  /** Null where nothing outside is reached by IPv4. */
  address4: string | null;
  policy: NetworkPolicy | null;
  /** Its ends of pairs with other partitions. */
  pairs: string[];
}

/** One end of a pair of interfaces between two partitions. */
export interface LinkEnd {
  device: string;
  /** Of the partition at the other end. */
  address: string;
  port: number;
  protocol: 'tcp' | 'udp';
}

export interface Inside {
  wiring: Wiring;
  families: Families;
  /** DNS name of a rule → its addresses, as far as they are known. */
  names: ReadonlyMap<string, readonly string[]>;
  /** What it meant before: to these, connections that are there go on. */
  former: ReadonlyMap<string, readonly string[]>;
  resolvers: readonly string[];
  /** To other partitions, and from them. */
  to: LinkEnd[];
  from: LinkEnd[];
}

const DNS_PORT = 53;
/** Every partition of every board (names.ts). */
const PARTITIONS = 'fd4c:6963:6865::/48';
/** All that was given to the Internet of IPv6. */
const PUBLIC_V6 = '2000::/3';
const NEIGHBOURS = 'icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept';

/**
 * What answers a connection passes. What belongs to one that was begun here has to be let pass anew with each packet: so a
 * rule that is taken back ends what it began.
 */
const ANSWERS = ['ct direction reply ct state established accept', 'ct state related accept'];

/** Takes the place of what was there in one step: there is no moment without a filter. */
const replaced = (table: string, chains: string[]): string =>
  `add table ${table}\ndelete table ${table}\ntable ${table} {\n${chains.join('\n')}\n}\n`;

const chain = (name: string, hook: string, policy: 'accept' | 'drop', rules: string[]): string =>
  [`  chain ${name} {`, `    type ${hook}; policy ${policy};`, ...rules.map((rule) => `    ${rule}`), '  }'].join('\n');

const set = (members: readonly string[]): string => `{ ${members.join(', ')} }`;

interface Match {
  v6: boolean;
  text: string;
}

const atAddresses = (addresses: readonly string[], more = ''): Match[] => {
  const [v6, v4] = [addresses.filter((address) => address.includes(':')), addresses.filter((address) => !address.includes(':'))];
  return [
    ...(v4.length > 0 ? [{ v6: false, text: `ip daddr ${set(v4)}${more}` }] : []),
    ...(v6.length > 0 ? [{ v6: true, text: `ip6 daddr ${set(v6)}${more}` }] : []),
  ];
};

/** What an address is matched by, one expression a family. */
const matches = (to: string, { names, former, families, wiring }: Inside): string[] => {
  const found = destinationOf(to);
  const all: Match[] = [];
  if (found?.kind === 'internet') {
    all.push({ v6: false, text: `ip daddr != ${set(PRIVATE_V4)}` }, { v6: true, text: `ip6 daddr ${PUBLIC_V6}` });
  } else if (found?.kind === 'range') {
    const v6 = found.range.bits === 128;
    all.push({ v6, text: `${v6 ? 'ip6' : 'ip'} daddr ${found.text}` });
  } else if (found?.kind === 'name') {
    const lan = wiring.policy?.lan === true;
    all.push(...atAddresses(namesHeld(to, names, lan)), ...atAddresses(namesHeld(to, former, lan), ' ct state established'));
  }
  return all.flatMap(({ v6, text }) => ((v6 ? families.v6 : families.v4) ? [text] : []));
};

/** A name that leads into the owner's network is a way around the rule that it was named in, unless that is lent, too. */
const namesHeld = (name: string, names: Inside['names'], lan: boolean): readonly string[] =>
  (names.get(name) ?? []).filter((address) => lan || !isPrivate(address));

const outboundRules = (inside: Inside): string[] => {
  const { policy } = inside.wiring;
  if (policy === null) return [];
  const asked = policy.dns ? inside.resolvers.map((to) => ({ to, port: DNS_PORT })) : [];
  return [
    ...policy.outbound.flatMap((rule) => matches(rule.to, inside).map((match) => `${match} ${rule.protocol} dport ${rule.port} accept`)),
    ...asked.flatMap(({ to, port }) => matches(to, inside).map((match) => `${match} meta l4proto { tcp, udp } th dport ${port} accept`)),
  ];
};

/** A port is told apart by its protocol alone. */
const atPort = ({ protocol, port }: LinkEnd): string => `${protocol} dport ${port}`;

export const insideTable = (inside: Inside): string => {
  const { address, address4 } = inside.wiring;
  return replaced('inet lichen', [
    chain('out', 'filter hook output priority 0', 'drop', [
      'oifname "lo" accept',
      // First of all: also what is part of a connection that was let pass has the partition's own address.
      `meta nfproto ipv6 ip6 saddr != ${set([address, 'fe80::/10'])} drop`,
      ...(address4 === null ? ['meta nfproto ipv4 drop'] : [`meta nfproto ipv4 ip saddr != ${address4} drop`]),
      ...ANSWERS,
      // Connection tracking is per namespace; neighbour discovery must pass or no address is ever found (RFC 4861).
      NEIGHBOURS,
      ...inside.to.map((end) => `oifname "${end.device}" ip6 daddr ${end.address} ${atPort(end)} accept`),
      // Of this board or of another on the same machine: it is reached by a link or not at all.
      `ip6 daddr ${PARTITIONS} meta l4proto tcp reject with tcp reset`,
      `ip6 daddr ${PARTITIONS} reject with icmpx admin-prohibited`,
      ...outboundRules(inside).map((rule) => `oifname "eth0" ${rule}`),
      // A program is told at once, where silence would cost it a time-out; TCP heeds nothing but a reset while it connects.
      'meta l4proto tcp reject with tcp reset',
      'reject with icmpx admin-prohibited',
    ]),
    chain('in', 'filter hook input priority 0', 'drop', [
      'iifname { "lo", "eth0" } accept',
      ...ANSWERS,
      NEIGHBOURS,
      ...inside.from.map((end) => `iifname "${end.device}" ip6 saddr ${end.address} ${atPort(end)} accept`),
    ]),
    chain('through', 'filter hook forward priority 0', 'drop', []),
  ]);
};

/** What a program finds under the names of its rules and links: the very addresses that the filter lets pass. */
export const hostsText = ({ wiring, names }: Inside, linked: ReadonlyMap<string, string>): string => {
  const known = (wiring.policy?.outbound ?? []).flatMap(({ to }) =>
    destinationOf(to)?.kind === 'name' ? namesHeld(to, names, wiring.policy?.lan === true).map((address) => `${address} ${to}`) : [],
  );
  const links = [...linked].map(([name, address]) => `${address} ${name}`);
  return [...new Set(['127.0.0.1 localhost', '::1 localhost', ...links, ...known])].map((line) => `${line}\n`).join('');
};

export const resolvText = ({ wiring, resolvers }: Inside): string =>
  wiring.policy?.dns === true
    ? resolvers.map((resolver) => `nameserver ${resolver}\n`).join('')
    : '# no resolver: the manifest does not ask for one\n';

/** Whether anything passes between it and the world. */
export const asksOut = (policy: NetworkPolicy | null): boolean =>
  policy !== null && (policy.outbound.length > 0 || policy.dns || policy.publish.length > 0);

/** Whether it asks for anything at all. */
export const asksAny = (policy: NetworkPolicy | null): boolean => asksOut(policy) || (policy?.links.length ?? 0) > 0;

const spoofed = ({ link, address, address4 }: Wiring): string[] => [
  `iifname "${link}" ip6 saddr != ${set([address, 'fe80::/10'])} drop`,
  address4 === null ? `iifname "${link}" meta nfproto ipv4 drop` : `iifname "${link}" ip saddr != ${address4} drop`,
];

/** For as long as a port is published, and no longer: nobody is let in by a connection of before. */
const letIn = ({ link, address, address4, policy }: Wiring, links: string): string[] =>
  (policy?.publish ?? []).flatMap(({ outside, inside, protocol }) => {
    const asked = `${protocol} dport ${inside} ct status dnat ct original proto-dst ${outside} accept`;
    const way = `iifname != ${links} oifname "${link}"`;
    return [...(address4 === null ? [] : [`${way} ip daddr ${address4} ${asked}`]), `${way} ip6 daddr ${address} ${asked}`];
  });

const published = ({ address, address4, policy }: Wiring, { v4, v6 }: Families, links: string): string[] =>
  (policy?.publish ?? []).flatMap(({ outside, inside, protocol }) => {
    const asked = `iifname != ${links} fib daddr type local ${protocol} dport ${outside} dnat`;
    return [
      ...(v4 && address4 !== null ? [`meta nfproto ipv4 ${asked} ip to ${address4}:${inside}`] : []),
      ...(v6 ? [`meta nfproto ipv6 ${asked} ip6 to [${address}]:${inside}`] : []),
    ];
  });

/** `wirings`: all of the board's partitions; with none there is nothing to guard. */
export const boardTable = (name: string, wirings: Wiring[], families: Families): string => {
  const links = set(wirings.map(({ link }) => `"${link}"`));
  const v4 = wirings.flatMap((wiring) => (asksOut(wiring.policy) && wiring.address4 !== null ? [wiring.address4] : []));
  const v6 = families.v6 ? wirings.flatMap((wiring) => (asksOut(wiring.policy) ? [wiring.address] : [])) : [];
  return replaced(`inet ${name}`, [
    chain('spoofed', 'filter hook prerouting priority raw', 'accept', wirings.flatMap(spoofed)),
    // The board itself, under whichever of its addresses, is no destination of anybody.
    chain('asked', 'filter hook input priority filter', 'accept', [
      `iifname ${links} ct state established,related accept`,
      `iifname ${links} ${NEIGHBOURS}`,
      `iifname ${links} drop`,
    ]),
    // Nobody outside asks a partition but through a published port, and no partition another one.
    chain('through', 'filter hook forward priority filter', 'accept', [
      ...ANSWERS.map((answer) => `oifname ${links} ${answer}`),
      ...wirings.flatMap((wiring) => letIn(wiring, links)),
      `oifname ${links} drop`,
    ]),
    chain(
      'published',
      'nat hook prerouting priority dstnat',
      'accept',
      wirings.flatMap((wiring) => published(wiring, families, links)),
    ),
    chain('outbound', 'nat hook postrouting priority srcnat', 'accept', [
      ...(v4.length > 0 ? [`oifname != ${links} ip saddr ${set(v4)} masquerade`] : []),
      ...(v6.length > 0 ? [`oifname != ${links} ip6 saddr ${set(v6)} masquerade`] : []),
    ]),
  ]);
};
