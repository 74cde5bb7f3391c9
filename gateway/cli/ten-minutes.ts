/** What an owner tries with a real board, and tells of: it is printed below the report, and stands in docs/images.md. */
export const TEN_MINUTES = [
  '`lichen image flash` (or Raspberry Pi Imager, with the list or "use custom") writes the image; the first partition shows on a computer.',
  'With a screen and no files on the card: text on the screen; at last a line that asks to be paired.',
  'The same on the serial line (3 and 4: pins 8 and 10; 5: the socket between the HDMI ones), 115200 baud.',
  'A cable in: `http://lichen.local` shows the page, with the same code as the screen. Keep `/report.txt` from there and send it along: model, kernel, firmware, seconds from the kernel to the runtime, tier and what it lacks, watchdog, clock, Wi-Fi, card and its speed, buses, temperature, voltage, slots. (`lichen doctor --hardware-report --from lichen.local` prints it.) The screen says the same.',
  '`lichen.json` with `wifi` and `country` on the first partition, power off and on, the cable out: `has joined its network`, and the page is at the new address. The same once more by the page of settings of Imager.',
  '`lichen.json` with a claim: `imported`, then `at home`; `upS` in that line is how many seconds after the kernel. The page is gone.',
  'A release for it holds its promise (`lichen instance list`).',
  'Power pulled three times while that runs: each time it is back by itself.',
  'The card from a drive at USB, if the board can start from one.',
  '`lichen-root-b` and `lichen-data` in `sfdisk --dump` of the card on another computer.',
];

export const checklistText = (): string =>
  [
    'Ten minutes with a real board: please try, on a card that may be lost, and tell which of these held, with the report above.',
    ...TEN_MINUTES.map((line, at) => `${`${at + 1}.`.padEnd(4)}${line.replaceAll('`', '')}`),
  ].join('\n');
