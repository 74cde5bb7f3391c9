import { describe, expect, it } from 'vitest';
import { layoutIn } from '../../../../runtime/adapters/partitions/cgroup-layout.ts';
import { writtenIn } from '../../../../runtime/adapters/partitions/meter.ts';

const none = (): string => '';

/** Lines of /proc/mounts as such machines show them. */
const V2 = 'cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid,nodev,noexec,relatime,nsdelegate,memory_recursiveprot 0 0';
const DEBIAN_10 = [
  'tmpfs /sys/fs/cgroup tmpfs ro,nosuid,nodev,noexec,mode=755 0 0',
  'cgroup2 /sys/fs/cgroup/unified cgroup2 rw,nosuid,nodev,noexec,relatime,nsdelegate 0 0',
  'cgroup /sys/fs/cgroup/systemd cgroup rw,nosuid,nodev,noexec,relatime,xattr,name=systemd 0 0',
  'cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,nosuid,nodev,noexec,relatime,cpu,cpuacct 0 0',
  'cgroup /sys/fs/cgroup/memory cgroup rw,nosuid,nodev,noexec,relatime,memory 0 0',
  'cgroup /sys/fs/cgroup/pids cgroup rw,nosuid,nodev,noexec,relatime,pids 0 0',
].join('\n');

describe('cgroup layout', () => {
  it('reads a unified tree with every controller', () => {
    const layout = layoutIn(V2, () => 'cpuset cpu io memory hugetlb pids rdma misc\n');
    expect(layout).toMatchObject({ version: 2, hybridPath: null, io: true, trees: ['/sys/fs/cgroup'] });
    expect([...(layout?.controllers.keys() ?? [])].sort()).toEqual(['cpu', 'cpuacct', 'memory', 'pids']);
  });

  it('does not offer what a Raspberry Pi started with cgroup_disable=memory lacks', () => {
    const layout = layoutIn(V2, () => 'cpuset cpu io pids\n');
    expect(layout?.controllers.has('memory')).toBe(false);
    expect(layout?.controllers.get('cpuacct'), 'time is counted all the same').toBe('/sys/fs/cgroup');
  });

  it('reads a hybrid machine as v1, with two controllers in one tree', () => {
    const layout = layoutIn(DEBIAN_10, none);
    expect(layout).toMatchObject({ version: 1, hybridPath: '/sys/fs/cgroup/unified', io: false });
    expect(layout?.controllers.get('cpu')).toBe('/sys/fs/cgroup/cpu,cpuacct');
    expect(layout?.controllers.get('cpuacct')).toBe('/sys/fs/cgroup/cpu,cpuacct');
    expect(layout?.trees, 'also the trees of nobody').toContain('/sys/fs/cgroup/systemd');
    expect(layout?.trees).not.toContain('/sys/fs/cgroup/unified');
  });

  it('finds none where there is none', () => expect(layoutIn('proc /proc proc rw 0 0\n', none)).toBeNull());

  it('sums the bytes written over devices', () => {
    expect(
      writtenIn('179:0 rbytes=90112 wbytes=4096 rios=22 wios=1 dbytes=0 dios=0\n8:16 rbytes=0 wbytes=18446744073709551615 rios=0 wios=9\n'),
    ).toBe(4_096n + 18_446_744_073_709_551_615n);
    expect(writtenIn('7:0 rbytes=0 wbytes=8192 rios=0 wios=2\n254:0 rbytes=0 wbytes=8192 rios=0 wios=2\n'), 'a loop device once').toBe(
      8_192n,
    );
    expect(writtenIn(null)).toBe(0n);
  });
});
