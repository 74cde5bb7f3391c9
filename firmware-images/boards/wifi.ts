/** What an image needs for Wi-Fi besides drivers. */
import type { Taken } from './board.ts';

export const WIFI_PROGRAMS: Record<string, string[]> = { wpasupplicant: ['usr/sbin/wpa_supplicant'] };

/** Which channels a country allows. The kernel asks for it by this name; Debian's kernel takes what Debian has signed. */
export const REGULATORY: Taken[] = ['regulatory.db', 'regulatory.db.p7s'].map((name) => ({
  package: 'wireless-regdb',
  from: `usr/lib/firmware/${name}-debian`,
  to: `usr/lib/firmware/${name}`,
}));

/** Of Raspberry Pis: of the chip on the 3 B and Zero 2 W (its newer revisions 43436 are in no package of Debian), and of that on the others. */
const CHIPS: Record<string, string[]> = {
  43430: ['3-model-b', 'model-zero-2-w'],
  43455: ['3-model-b-plus', '4-model-b', '5-model-b'],
};

export const BROADCOM: Taken[] = Object.entries(CHIPS)
  .flatMap(([chip, boards]) => [
    ...['bin', 'clm_blob'].flatMap((end) => [`cypress/cyfmac${chip}-sdio.${end}`, `brcm/brcmfmac${chip}-sdio.${end}`]),
    ...boards.map((board) => `brcm/brcmfmac${chip}-sdio.raspberrypi,${board}.txt`),
  ])
  .map((path) => ({ package: 'firmware-brcm80211', from: `usr/lib/firmware/${path}` }));
