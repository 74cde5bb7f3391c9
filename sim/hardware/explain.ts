/**
 * What each virtual part models and what it does not, for `lichen sim explain`. `parameters` are keys of a scenario's
 * file; `profile x` is a figure of the board's profile, `fault x.y` a word of a fault.
 */

export interface Explanation {
  part: string;
  models: string[];
  parameters: string[];
  doesNot: string[];
}

export const EXPLAIN: Explanation[] = [
  {
    part: 'simulator',
    models: [
      'the real runtime/agent and gateway/service, decision for decision, under a virtual clock: same seed, same bytes',
      'boards, gateways, links, power, cards, clocks, sensors and the people who sign',
      'faults at set moments or drawn from the seed, and an oracle that is told only what physically happened',
    ],
    parameters: ['seed', 'lasts', 'starts', 'gateways', 'backbone', 'boards', 'workloads', 'timeline', 'faults', 'pace', 'expect'],
    doesNot: [
      'kernel limits and escapes: cgroups, seccomp, namespaces and quotas always hold (test/outside tries the real ones)',
      'real fsync and file systems: a commit is whole or absent unless a fault says otherwise',
      'TLS, certificates on the wire and MQTT bytes in tier A; tier B has the MQTT bytes, only tier C has TLS',
      'native crashes: a process ends only where a fault or a limit ends it',
      'scheduling inside the CPU, caches, contention for memory or the card between instances',
      'what programs compute: an instance is the use, the start, the failures and the fair readings that the scenario gives it',
    ],
  },
  {
    part: 'profile',
    models: ['cores, speed, memory, watts, buses, watchdog and boot time of each kind of board, with sources in sim/hardware/profiles.ts'],
    parameters: [
      'boards.profile',
      'boards.capacity.memory',
      'boards.capacity.cpu',
      'boards.capacity.partitions',
      'profile cores',
      'profile speedPermille',
      'profile memoryMib',
      'profile bootMs',
    ],
    doesNot: ['GPU, USB, PCIe and cameras', 'differences between two boards of one kind', 'kernels that enforce less than the images do'],
  },
  {
    part: 'cpu',
    models: [
      'temperature: first order, towards air + watts × °C/W with one time constant',
      'throttling: the clock falls evenly between 80 and 85 °C (other boards: as in the profile) to its floor, and the watts with it',
      'watts: linear in the work done between idle and all cores busy',
    ],
    parameters: [
      'fault heat.ambient',
      'profile thermal.cPerWatt',
      'profile thermal.tauS',
      'profile thermal.throttleC',
      'profile thermal.hardC',
      'profile thermal.throttledPermille',
      'profile idleWatts',
      'profile maxWatts',
    ],
    doesNot: [
      'a second, slower time constant of case and heat sink; fans, wind and sun on the case',
      'shutting down at a critical temperature',
      'frequency scaling when idle, voltage steps, turbo',
    ],
  },
  {
    part: 'memory',
    models: [
      'an instance that wants more than its own limit, at once or as it leaks, is killed by its cgroup',
      'a board that has no more kills its largest instance; the runtime itself is never taken',
      'leaks: a MiB a second',
    ],
    parameters: ['workloads.uses.memory', 'workloads.fails.how', 'profile memoryMib', 'profile systemMib'],
    doesNot: [
      'swap and zram',
      'page cache and reclaim: memory is used or free',
      'memory pressure that slows before it kills',
      'oom_score_adj',
    ],
  },
  {
    part: 'card',
    models: [
      'write amplification: a synced write costs whole erase blocks, a commit one more for its meta page',
      'wear levelled over the whole card; worn out it refuses writes and can be read',
      'full: what would grow is refused, overwriting and deleting still work',
      'a card that lies about syncs: of the last 5 seconds before a cut the newest commits, 8 at most, may be gone',
      'slow answers, bit rot in whole files',
    ],
    parameters: [
      'boards.card.size',
      'boards.card.used',
      'boards.card.erase-block',
      'boards.card.endurance',
      'boards.card.lies',
      'fault full-card',
      'fault slow-card.by',
      'fault lost-writes.commits',
      'fault bit-rot.files',
    ],
    doesNot: [
      'torn pages inside a commit: the store above is LMDB, which either sees the new meta page or the old one',
      'garbage collection stalls, wear that differs between blocks, blocks that fail early, read disturb',
      'file system metadata and journals',
    ],
  },
  {
    part: 'power',
    models: [
      'mains; a battery; a battery under a panel, charged by half a sine around noon (UTC) less the clouds of the day, drawn from the seed',
      'disconnection when empty and connection again at 15 %, to the millisecond',
      'brown-out: the board is reset again and again, 2 to 60 seconds apart',
    ],
    parameters: [
      'boards.power.kind',
      'boards.power.battery',
      'boards.power.charged',
      'boards.power.panel',
      'boards.power.sun',
      'boards.power.clouds',
      'fault power-cut',
      'fault brown-out',
    ],
    doesNot: [
      'losses of charging and discharging, temperature, ageing and voltage of the battery',
      'clouds within a day, seasons within a run, longitude',
      'a supply that is too weak for a peak: a sag comes from a fault only',
    ],
  },
  {
    part: 'clock',
    models: [
      'drift of the quartz, the same for monotonic clock, wall clock and RTC',
      'without an RTC: waking at the time last saved, each hour and at a clean shutdown, as fake-hwclock does',
      'jumps',
    ],
    parameters: ['boards.clock.rtc', 'boards.clock.drift', 'fault clock-jump.by', 'profile hasRtc'],
    doesNot: [
      'NTP: nothing but a jump sets a clock, also after an outage',
      'drift that follows the temperature',
      'leap seconds',
      'suspend',
    ],
  },
  {
    part: 'link',
    models: [
      'latency, jitter, rate with the queue in front of it, and TCP: order is kept and a lost packet costs a retransmission time-out (at least 200 ms, doubling)',
      'cuts, one-way cuts, flapping, lateness, duplicates; something captive, which takes connections and never says a word on them',
    ],
    parameters: [
      'links.like',
      'links.latency',
      'links.jitter',
      'links.loss',
      'links.speed',
      'fault link-cut',
      'fault one-way.passes',
      'fault captive',
      'fault flapping.period',
      'fault late.by',
      'fault duplicate.share',
    ],
    doesNot: [
      'radio: signal, interference, airtime shared with other stations',
      'congestion windows, slow start and fast retransmission (a loss always costs the time-out: worse than life for long messages)',
      'handshakes of TCP and TLS, DNS, NAT time-outs, MTU trouble',
      'reordering within a connection: TCP does not do that',
      'duplicates in tier b, for the same reason: there the fault hits nothing',
    ],
  },
  {
    part: 'sensor',
    models: [
      'constant, sine, bounded walk (a step a minute) or a recorded trace, going round; uniform noise',
      'stuck, noisy (half its span), drifting (5 % of its span an hour), absent; of two at a time the newer one, and the older again after it',
      'what a program takes for a fair reading: bounds, and how long exactly the same while it ran; without a fair one none of its promises hold',
      'promises about a number: what the first sensor that is read tells, or below /sys the file of that name',
    ],
    parameters: [
      'boards.sensors.constant',
      'boards.sensors.sine',
      'boards.sensors.walk',
      'boards.sensors.trace',
      'boards.sensors.noise',
      'workloads.reads.least',
      'workloads.reads.most',
      'workloads.reads.same',
      'fault sensor-fault.how',
    ],
    doesNot: [
      'response time, self-heating, calibration',
      'interrupts: a program has to read',
      'interpolation between the points of a trace, nor filling of its gaps: those are refused',
    ],
  },
  {
    part: 'bus',
    models: [
      'iio: /sys/bus/iio/devices/iio:deviceN/in_*_input in the units of the kernel',
      '1-wire: /sys/bus/w1/devices/28-*/temperature and w1_slave with its checksum, in sixteenths of a degree',
      'gpio: /sys/class/gpio/gpioN/value, 1 from 0.5 on; i2c: the registers of an LM75; the processor as thermal_zone0',
    ],
    parameters: ['boards.sensors.name', 'boards.sensors.bus', 'profile buses'],
    doesNot: [
      'rounding, where a program says what is fair: it gets the value as it is; promises about files below /sys see what stands there',
      '/dev/gpiochipN and /dev/i2c-N as device files, bus errors, timing, triggers and buffers of iio',
      'outputs: nothing can be switched',
    ],
  },
  {
    part: 'watchdog',
    models: [
      'armed as the image arms it: for 60 s or the most that the hardware can count to, petted every 5 s, as soon as the runtime starts',
      'a board that stands still is started again at most so much later; one without a watchdog stands still until its power is cut',
    ],
    parameters: ['boards.watchdog', 'profile watchdogMs', 'fault board-hang'],
    doesNot: [
      'a runtime that hangs while its kernel goes on: another process pets the watchdog, here as on the image',
      'watching the start: until the runtime starts nothing does; on the image it is armed some seconds before',
      'a process of the image that hangs alone; pre-time-outs; a watchdog outside the board',
    ],
  },
  {
    part: 'slots',
    models: [
      'two system slots, on boards that have `updates`, driven by the real runtime and the real rollout of the gateways, one wave of boards after the other',
      'what starts the machine counts: a new system is started three times, and then the one before, unless it was kept',
      'of what was not synced any part may be on the card after a power cut, or after the board stood still',
      'systems that do not start (each time started again after 10 s), stand still soon after, or find no gateway',
    ],
    parameters: [
      'boards.updates.wave',
      'boards.updates.bake',
      'boards.updates.tolerated',
      'profile image',
      'profile hasSlots',
      'fault good-system',
      'fault bad-system.how',
      'fault interrupted-system.write',
    ],
    doesNot: [
      'boot loaders, partitions and images themselves (firmware-images boots those in QEMU); a system here has some tens of KiB',
      "runtimes that are replaced alone, times of the day, an owner's word that changes",
      'the guard of the image that starts a board again whose trial is not decided after 15 minutes; a card that rots or is full in its slots, and their wear',
    ],
  },
];
