/**
 * The ten promises of the design, one sentence each. `judged`: a single run can break it and be found out; that the
 * same seed gives the same bytes is seen by comparing runs only.
 */
export const PROMISES: { number: number; says: string; judged: boolean }[] = [
  { number: 1, says: 'nothing runs that a publisher did not sign, a tenant did not request and a gateway did not assign', judged: true },
  { number: 2, says: 'no usage is lost and none is billed twice', judged: true },
  { number: 3, says: 'what tenants are charged is what owners earn, fees and rounding, to the last unit', judged: true },
  {
    number: 4,
    says: 'a `stop` instance never runs in two places; a `continue` one stops overlapping in time, and overlap is not charged',
    judged: true,
  },
  { number: 5, says: 'a board keeps its instances running through outages and recovers by itself', judged: true },
  { number: 6, says: 'any gateway can die for good, and its peers go on', judged: true },
  { number: 7, says: 'what a board cannot enforce it does not offer', judged: true },
  { number: 8, says: 'every input has a limit, and past it nothing is lost', judged: true },
  { number: 9, says: 'the same seed gives the same bytes', judged: false },
  { number: 10, says: 'whatever is refused is refused with a reason and a next step', judged: true },
];

export const promiseSays = (number: number): string =>
  PROMISES.find((one) => one.number === number)?.says ?? 'a promise that is not in the list';
