/** The filters as text; what they do to packets is seen in network.slow.test.ts. */
import { describe, expect, it } from 'vitest';
import {
  boardTable,
  hostsText,
  type Inside,
  insideTable,
  resolvText,
  type Wiring,
} from '../../../../runtime/adapters/partitions/filter.ts';
import { address4Of, pairOf } from '../../../../runtime/adapters/partitions/names.ts';
import { resolversIn } from '../../../../runtime/adapters/partitions/resolve.ts';
import type { NetworkPolicy } from '../../../../runtime/ports/partitions.ts';

const NOTHING: NetworkPolicy = { outbound: [], dns: false, lan: false, links: [], publish: [] };
const BOTH = { v4: true, v6: true };
const wiring = (policy: Partial<NetworkPolicy> | null): Wiring => ({
  ...{ link: 'lc0', address: 'fd4c::1', address4: '100.64.0.1', pairs: [] },
  policy: policy === null ? null : { ...NOTHING, ...policy },
});
const inside = (policy: Partial<NetworkPolicy> | null, more: Partial<Inside> = {}): Inside => ({
  ...{ wiring: wiring(policy), families: BOTH, names: new Map(), former: new Map(), resolvers: [], to: [], from: [] },
  ...more,
});
const accepted = (table: string): string[] =>
  table.split('\n').flatMap((line) => (/^ +oifname "eth0" .*accept$/.test(line) ? [line.trim()] : []));
const rule = (to: string, port = 443): NetworkPolicy['outbound'][number] => ({ to, port, protocol: 'tcp' });

describe('the filter inside', () => {
  it('lets nothing out without a rule, and takes the place of the one before in one step', () => {
    for (const policy of [null, {}]) {
      const table = insideTable(inside(policy));
      expect(accepted(table)).toEqual([]);
      expect(table).toMatch(/^add table inet lichen\ndelete table inet lichen\ntable inet lichen \{/);
      expect(table.match(/policy drop;/g)).toHaveLength(3);
    }
  });

  it('looks at the source before anything is let pass, and lets no IPv4 out where there is none', () => {
    const table = insideTable(inside({ outbound: [rule('internet')] }));
    expect(table.indexOf('ip6 saddr != { fd4c::1, fe80::/10 } drop')).toBeLessThan(table.indexOf('established'));
    expect(table.indexOf('ip saddr != 100.64.0.1 drop')).toBeLessThan(table.indexOf('established'));
    const without = insideTable(inside({}, { wiring: { ...wiring({}), address4: null } }));
    expect(without).toContain('meta nfproto ipv4 drop');
  });

  it('has a line a rule and family, and none for a family that the board does not forward', () => {
    const rules = { outbound: [rule('internet'), rule('9.9.9.9'), rule('2001:db8::/32', 53)] };
    expect(accepted(insideTable(inside(rules)))).toEqual([
      expect.stringMatching(/^oifname "eth0" ip daddr != \{ .*10\.0\.0\.0\/8.* \} tcp dport 443 accept$/),
      'oifname "eth0" ip6 daddr 2000::/3 tcp dport 443 accept',
      'oifname "eth0" ip daddr 9.9.9.9 tcp dport 443 accept',
      'oifname "eth0" ip6 daddr 2001:db8::/32 tcp dport 53 accept',
    ]);
    expect(accepted(insideTable(inside(rules, { families: { v4: true, v6: false } })))).toHaveLength(2);
  });

  it('knows a name by what was found under it, without what is private unless that is lent', () => {
    const names = new Map([['a.example', ['10.0.0.1', '2001:db8::1', '192.0.2.1']]]);
    const rules = { outbound: [rule('a.example'), rule('unknown.example')] };
    expect(accepted(insideTable(inside(rules, { names })))).toEqual([
      'oifname "eth0" ip daddr { 192.0.2.1 } tcp dport 443 accept',
      'oifname "eth0" ip6 daddr { 2001:db8::1 } tcp dport 443 accept',
    ]);
    expect(insideTable(inside({ ...rules, lan: true }, { names }))).toContain('{ 10.0.0.1, 192.0.2.1 }');
    const hosts = hostsText(inside(rules, { names }), new Map([['db', 'fd4c::2']]));
    expect(hosts.split('\n')).toEqual([
      '127.0.0.1 localhost',
      '::1 localhost',
      'fd4c::2 db',
      '2001:db8::1 a.example',
      '192.0.2.1 a.example',
      '',
    ]);
  });

  it('lets a connection to what a name meant before go on, and begins none', () => {
    const names = new Map([['a.example', ['192.0.2.1']]]);
    const former = new Map([['a.example', ['192.0.2.2', '10.0.0.1']]]);
    expect(accepted(insideTable(inside({ outbound: [rule('a.example')] }, { names, former })))).toEqual([
      'oifname "eth0" ip daddr { 192.0.2.1 } tcp dport 443 accept',
      'oifname "eth0" ip daddr { 192.0.2.2 } ct state established tcp dport 443 accept',
    ]);
    expect(hostsText(inside({ outbound: [rule('a.example')] }, { names, former }), new Map())).not.toContain('192.0.2.2');
  });

  it('leads to a resolver only whoever asks for one', () => {
    const resolvers = ['192.168.1.1'];
    expect(resolvText(inside({}, { resolvers }))).not.toContain('nameserver');
    expect(resolvText(inside({ dns: true }, { resolvers }))).toBe('nameserver 192.168.1.1\n');
    expect(accepted(insideTable(inside({ dns: true }, { resolvers })))).toEqual([
      'oifname "eth0" ip daddr 192.168.1.1 meta l4proto { tcp, udp } th dport 53 accept',
    ]);
    expect(resolversIn('# x\nnameserver 127.0.0.53\nnameserver ::1\nnameserver 192.168.1.1\nnameserver fd00::1%eth0\nsearch a\n')).toEqual([
      '192.168.1.1',
    ]);
  });

  it('opens a link at both ends for one port, each by interface and address', () => {
    const end = { device: 'lk0', address: 'fd4c::2', port: 5432, protocol: 'tcp' as const };
    const table = insideTable(inside({}, { to: [end], from: [{ ...end, device: 'lk1', address: 'fd4c::3', port: 80 }] }));
    expect(table).toContain('oifname "lk0" ip6 daddr fd4c::2 tcp dport 5432 accept');
    expect(table).toContain('iifname "lk1" ip6 saddr fd4c::3 tcp dport 80 accept');
  });
});

describe('the table of the board', () => {
  const published = { publish: [{ outside: 8080, inside: 80, protocol: 'tcp' as const }] };

  it('carries its name, translates for whoever reaches out and guards all', () => {
    const other: Wiring = { link: 'lc1', address: 'fd4c::9', address4: null, policy: null, pairs: [] };
    const table = boardTable('lichen-x', [wiring({ outbound: [rule('internet')] }), other], BOTH);
    expect(table).toContain('table inet lichen-x {');
    expect(table).toContain('oifname != { "lc0", "lc1" } ip saddr { 100.64.0.1 } masquerade');
    expect(table).toContain('oifname != { "lc0", "lc1" } ip6 saddr { fd4c::1 } masquerade');
    expect(table).toContain('iifname "lc1" meta nfproto ipv4 drop');
    expect(table).toContain('iifname { "lc0", "lc1" } drop');
  });

  it('publishes in the families that are forwarded', () => {
    expect(boardTable('b', [wiring(published)], BOTH)).toMatch(
      /tcp dport 8080 dnat ip to 100\.64\.0\.1:80[\s\S]*dnat ip6 to \[fd4c::1\]:80/,
    );
    expect(boardTable('b', [wiring(published)], { v4: false, v6: true })).not.toContain('dnat ip to');
  });
});

describe('names in the kernel', () => {
  it('of a pair are one for both ends, and short enough', () => {
    const [board, one, other] = ['b', 'o', 't'].map((letter) => letter.repeat(32)) as [string, string, string];
    expect(pairOf(board, one, other)).toBe(pairOf(board, other, one));
    expect(pairOf(board, one, other)).toMatch(/^lk[0-9a-f]{13}$/);
  });

  it('of IPv4 lie where no network of anybody does, and differ with each attempt', () => {
    const found = [0, 1, 2].map((attempt) => address4Of('b'.repeat(32), 'p'.repeat(32), attempt));
    expect(new Set(found).size).toBe(3);
    for (const address of found) expect(address).toMatch(/^100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.\d+\.\d+$/);
  });
});
