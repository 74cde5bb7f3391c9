/** Which releases a request asks for, by its words alone. */
import { hex } from '../../runtime/protocol/bytes.ts';
import type { Request } from '../../runtime/protocol/nouns/request.ts';

/** A lease may be for its release or, where that comes in waves, for the one before. */
export const asksForLease = ({ release, fallback, rollout }: Request, leased: string): boolean =>
  hex(release) === leased || (rollout !== undefined && fallback !== undefined && hex(fallback.release) === leased);

/** Under a lease runs what it is for, or what the request names for where that does not do. */
export const asksToRun = (request: Request, leased: string, content: string): boolean => {
  const { fallback } = request;
  return asksForLease(request, leased) && (content === leased || (fallback !== undefined && content === hex(fallback.release)));
};
