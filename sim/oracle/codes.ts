/** Everything that can be found against a run, and which of the ten promises it breaks. Reporters and mutants count by these. */
export const CODES = {
  'ran-unsigned': 1,
  'ran-unassigned': 1,
  'ran-unrequested': 1,
  'ran-elsewhere': 1,
  'ran-other-release': 1,
  /** Its tenant withdrew it long ago, its board and that one's home could know, and it runs. */
  'runs-on': 1,
  /** Something was written to a card as part of a release, and is of none. */
  'wrote-unsigned': 1,
  /** A release that comes in waves began where it was not to begin before others had shown how it does. */
  'wave-skipped': 1,

  /** An acknowledgement that names what is not on the disks that it speaks of. */
  'acked-not-stored': 2,
  'acked-not-replicated': 2,
  /** A board let go of a record that was not on two disks. */
  'pruned-too-early': 2,
  /** A program began before a zero record of its lease was durable. */
  'began-unrecorded': 2,
  /** A second zero record of one lease: whatever follows it means nothing to any bill. (metering-2) */
  'opened-twice': 2,
  /** Two records of one number, or one that does not follow, from a board whose card is well. */
  'chain-broken': 2,
  /** Two entries at one place of the log of a gateway that neither lies nor lost its disk. */
  'forked-log': 2,
  'usage-lost': 2,
  'billed-twice': 2,
  'billed-more': 2,
  'uncharged-without-reason': 2,
  /** A period that a gateway was told to close is closed or stated nowhere, so that nobody could hold a bill against anything. */
  'not-closed': 2,
  'statements-differ': 2,
  'statement-chain': 2,
  /** What a gateway stated of a period is not what it comes to in the end. */
  'statement-changed': 2,

  /** A board that could settle for long holds records still. */
  'never-delivered': 2,

  'wrong-price': 3,
  /** More was debited under a voucher than it pays. */
  'voucher-overspent': 3,
  'not-zero-sum': 3,

  'overlap-too-long': 4,
  'overlap-charged': 4,
  'overlap-stop': 4,
  /** Two leases of one instance from one guardian with the same term: which of them is the later one nobody could tell. */
  'term-twice': 4,
  /** A program of a guarded lease ran when no majority of its guardians had renewed that for too long. */
  'ran-unguarded': 4,
  /** It did not run though a majority of its guardians, its board and all ways between them were well for long enough. */
  'guarded-not-run': 4,

  'stopped-without-reason': 5,
  'not-restarted': 5,
  /** A board was started from a system of which it did not have all. */
  'started-half': 5,
  /** A system stayed that had not found its gateway. */
  'kept-unproven': 5,
  /** A system was on trial for too long. */
  'trial-undecided': 5,

  'not-rehomed': 6,
  /** A record died with a gateway though its board could have told others. */
  'lost-with-gateway': 6,

  'over-offered': 7,
  /** A board gave content to others on its network, or took some, when its owner had told it not to. */
  'shared-against-owner': 7,

  'too-large-on-wire': 8,
  'malformed-on-wire': 8,

  'refusal-without-reason': 10,
  /** `internal` is what must not happen. */
  'internal-error': 10,
} as const satisfies Record<string, number>;

export type Code = keyof typeof CODES;
