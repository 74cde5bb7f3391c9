/** The list by which Raspberry Pi Imager offers an image ("Use custom repository", or `--repo`). */
import type { Board } from '../boards/board.ts';

export interface Imager {
  /** Where the files will be: the base address, without what they are called. */
  url: string;
  /** YYYY-MM-DD. */
  date: string;
}

export interface Sizes {
  extract_size: number;
  extract_sha256: string;
  image_download_size: number;
}

/** A square of one colour: the list has to name a picture. */
const ICON =
  'data:image/svg+xml,%3Csvg xmlns=%22http://www.w3.org/2000/svg%22%3E%3Crect width=%2240%22 height=%2240%22 fill=%22%236a8f5f%22/%3E%3C/svg%3E';

interface Listed {
  board: Board;
  file: string;
  imager: Imager;
  sizes: Sizes;
}

/** Imager asks for a device first, and knows only those of the list that it was given. One without tags stands for all. */
const ANY = [{ name: 'Any machine', description: 'Not a Raspberry Pi', tags: [] }];

/** `init_format`: what its page of settings writes as cloud-init a board reads (firmware-images/setup/cloud-init.ts). */
export const listOf = ({ board, file, imager, sizes }: Listed): string => {
  const devices = board.imagerDevices ?? ANY;
  const entry = {
    name: 'Lichen',
    description: `A board of a decentralised cloud, for ${board.says}. No physical board was tested: only emulated ones`,
    icon: ICON,
    url: `${imager.url.replace(/\/*$/, '/')}${file}`,
    ...sizes,
    release_date: imager.date,
    init_format: 'cloudinit',
    devices: [...new Set(devices.flatMap(({ tags }) => tags))],
  };
  const shown = devices.map((one) => ({ ...one, icon: ICON, matching_type: 'exclusive' }));
  return `${JSON.stringify({ imager: { devices: shown }, os_list: [entry] }, null, 2)}\n`;
};
