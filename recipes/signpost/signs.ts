/** Signs from shares, and back: pure. */

/** As a board gives it, in /run/lichen/shares.json. */
export interface Share {
  share: string;
  tenant: string;
  name: string;
  parameters: { to: string };
}

/** Of two tenants neither can take the other's path. */
export const pathOf = ({ tenant, name }: Share): string => `/${tenant.slice(0, 8)}/${name}`;

/** Path → where it leads. What is no address of the web leads nowhere: a sign must not make a browser run anything. */
export const signsOf = (shares: Share[]): Map<string, string> =>
  new Map(shares.flatMap((share) => (/^https?:\/\//i.test(share.parameters.to) ? [[pathOf(share), share.parameters.to]] : [])));

/** What each share is told. One without a sign is told nothing. */
export const connectionsOf = (shares: Share[], port: number): Record<string, { port: number; path: string }> => {
  const signs = signsOf(shares);
  return Object.fromEntries(shares.flatMap((share) => (signs.has(pathOf(share)) ? [[share.share, { port, path: pathOf(share) }]] : [])));
};
