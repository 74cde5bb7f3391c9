/** A real browser, as the system installs it; playwright-core only drives it, and would fetch none. */
import { existsSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';

const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** Null where there is none. */
export const chromiumPath = (): string | null => places.find((path) => existsSync(path)) ?? null;

const QUIET = [
  ...[
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
  // Root has no user namespace to drop into, and what is opened here was written here.
  ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
];

/** With a profile of its own that goes away with it. */
export const openBrowser = (): Promise<Browser> => chromium.launch({ executablePath: chromiumPath() ?? '', args: QUIET });

export interface Look {
  width: number;
  height: number;
  scheme: 'light' | 'dark';
}

/** A page, with every complaint of the browser and everything that it asked anybody for. */
export const openPage = async (browser: Browser, url: string, { width, height, scheme }: Look) => {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme });
  const page: Page = await context.newPage();
  const complaints: string[] = [];
  const requests: string[] = [];
  page.on('console', (message) => void complaints.push(message.text()));
  page.on('pageerror', (error) => void complaints.push(error.message));
  page.on('request', (request) => void requests.push(request.url()));
  await page.goto(url);
  return { page, complaints, requests, close: () => context.close() };
};
