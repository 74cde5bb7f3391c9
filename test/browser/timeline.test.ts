/** The timeline in a real browser: it is drawn, it obeys the keyboard, fits a phone, and asks nobody for anything. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { junitOf } from '../../sim/report/junit.ts';
import type { RunReport } from '../../sim/report/report.ts';
import { PAGE_SCRIPTS, timelineOf } from '../../sim/report/timeline/page.ts';
import { broke, held, hostile, large } from '../sim/report/reports.ts';
import { chromiumPath, openBrowser, openPage } from './chromium.ts';

const desk = { width: 1280, height: 900, scheme: 'light' } as const;
const phone = { width: 360, height: 740, scheme: 'dark' } as const;

const part = (name: string): string => readFileSync(join(import.meta.dirname, '../../sim/report/timeline', name), 'utf8');

/** How much of a lane's canvas is painted in any colour but the most frequent one, in permille. */
const painted = (page: Page, lane: string): Promise<number> =>
  page
    .locator('.lane', { hasText: lane })
    .first()
    .locator('canvas')
    .evaluate((canvas) => {
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      const counts = new Map<number, number>();
      for (let at = 0; at < data.length; at += 4) {
        const colour = (data[at] << 16) | (data[at + 1] << 8) | data[at + 2];
        counts.set(colour, (counts.get(colour) ?? 0) + 1);
      }
      return Math.round(1000 * (1 - Math.max(...counts.values()) / (data.length / 4)));
    });

describe.skipIf(chromiumPath() === null)('the timeline in Chromium', { timeout: 60_000 }, () => {
  let browser: Browser;
  let home: string;
  const urls: Record<string, string> = {};

  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), 'lichen-timeline-'));
    const reports: Record<string, RunReport> = { held: held(), broke: broke(), hostile: hostile(), large: large() };
    for (const [name, report] of Object.entries(reports)) {
      const path = join(home, `${name}.html`);
      writeFileSync(path, timelineOf(report, { css: part('page.css'), scripts: PAGE_SCRIPTS.map(part) }));
      urls[name] = pathToFileURL(path).href;
    }
    browser = await openBrowser();
  });
  afterAll(async () => {
    await browser.close();
    rmSync(home, { recursive: true });
  });

  test.each([
    ['held', desk],
    ['broke', phone],
    ['hostile', desk],
    ['large', phone],
  ] as const)('%s opens without a complaint and without a request', async (name, look) => {
    const { page, complaints, requests, close } = await openPage(browser, urls[name]!, look);
    await page.locator('.lane .state').first().waitFor();
    expect(await page.locator('.lane .state').first().textContent()).not.toBe('');
    expect({ complaints, requests }).toEqual({ complaints: [], requests: [urls[name]] });
    expect(await page.title()).toMatch(/, seed 7$/);
    expect(await page.locator('img').count()).toBe(0);
    // Nothing hangs over the edge: wide tables scroll by themselves.
    expect(await page.locator('html').evaluate((html) => html.scrollWidth)).toBeLessThanOrEqual(look.width);
    await close();
  });

  test('lanes are drawn, in the light and in the dark differently', async () => {
    const shots = [];
    for (const scheme of ['light', 'dark'] as const) {
      const { page, close } = await openPage(browser, urls.held!, { ...desk, scheme });
      await page.waitForFunction('document.querySelector(".lane canvas").width > 300');
      expect(await painted(page, 'kitchen')).toBeGreaterThan(300);
      expect(await painted(page, 'village')).toBeLessThan(700);
      shots.push(await page.locator('.lanes').screenshot());
      await close();
    }
    expect(shots[0]!.equals(shots[1]!)).toBe(false);
  });

  test('colours follow the reader who changes to dark while it is open', async () => {
    const { page, close } = await openPage(browser, urls.held!, desk);
    const before = await page.locator('.lanes').screenshot();
    await page.emulateMedia({ colorScheme: 'dark' });
    await expect.poll(async () => (await page.locator('.lanes').screenshot()).equals(before)).toBe(false);
    await close();
  });

  test('arrow keys move the cursor, choose lanes and find events; a table says what is so', async () => {
    const { page, close } = await openPage(browser, urls.held!, desk);
    const slider = page.getByRole('slider', { name: 'Cursor in time' });
    const says = () => slider.getAttribute('aria-valuetext');
    await slider.focus();
    expect(await says()).toBe('00:00:00, village: up');
    await page.keyboard.press('ArrowDown');
    expect(await says()).toMatch(/^00:00:00, kitchen: .*runs museum · home village$/);
    await page.keyboard.press('Shift+ArrowRight');
    await page.keyboard.press('Shift+ArrowRight');
    expect(await says()).toBe('02:00:00, kitchen: power-cut · no power');
    const row = page.getByRole('table', { name: /^State/ }).getByRole('row', { name: 'attic' });
    await expect.poll(() => row.getByRole('cell').last().textContent()).toBe('runs museum · home village');
    await page.keyboard.press('End');
    expect(await slider.getAttribute('aria-valuenow')).toBe('86400000');
    await page.keyboard.press('Home');
    await page.keyboard.press('ArrowRight');
    expect(await slider.getAttribute('aria-valuenow')).toBe('432000');
    expect(await page.locator('.events h3').textContent()).toBe('Events of kitchen');
    expect(await page.locator('.events li').allTextContents()).toContain('02:00:00 power-cut until 02:10:00');
    await close();
  });

  test('zoom shows a part around the cursor, and all again', async () => {
    const { page, close } = await openPage(browser, urls.held!, desk);
    const slider = page.getByRole('slider');
    await slider.focus();
    const whole = await page.locator('.lanes').screenshot();
    for (let i = 0; i < 5; i++) await page.keyboard.press('+');
    await page.keyboard.press('ArrowRight');
    // A thirty-second part of the day, and a two-hundredth of that.
    expect(await slider.getAttribute('aria-valuenow')).toBe(String(Math.round(86_400_000 / 32 / 200)));
    expect((await page.locator('.lanes').screenshot()).equals(whole)).toBe(false);
    await page.getByRole('button', { name: 'all' }).click();
    await slider.focus();
    await page.keyboard.press('Home');
    await expect.poll(async () => (await page.locator('.lanes').screenshot()).equals(whole)).toBe(true);
    await close();
  });

  test('a click on a lane chooses it and its moment; a time in a table jumps there', async () => {
    const { page, close } = await openPage(browser, urls.held!, desk);
    const strip = (await page.locator('.lane', { hasText: 'attic' }).locator('canvas').boundingBox())!;
    await page.mouse.click(strip.x + strip.width / 4, strip.y + 20);
    const slider = page.getByRole('slider');
    expect(await slider.getAttribute('aria-valuetext')).toBe('06:00:00, attic: runs museum');
    await page.getByRole('button', { name: '09:00:00' }).first().click();
    expect(await slider.getAttribute('aria-valuetext')).toBe('09:00:00, attic: no power');
    await close();
  });

  test('it begins at what broke', async () => {
    const { page, close } = await openPage(browser, urls.large!, desk);
    expect(await page.getByRole('slider').getAttribute('aria-valuetext')).toMatch(
      /^12d 06:00:00, house-03: record 812 stands on two invoices/,
    );
    expect(await page.locator('.lane .bad').textContent()).toContain('record 812');
    await close();
  });

  test('fifty lanes of thirty days: only those in sight are drawn, and a name finds its lane', async () => {
    const { page, close } = await openPage(browser, urls.large!, phone);
    expect(await page.locator('.lane').count()).toBe(50);
    // A canvas that nobody has drawn on is 300 wide (HTML standard, 4.12.5).
    const drawn = () => page.locator('.lane canvas').evaluateAll((all) => all.filter(({ width }) => width !== 300).length);
    await page.locator('.axis').scrollIntoViewIfNeeded();
    await expect.poll(drawn).toBeGreaterThan(3);
    expect(await drawn()).toBeLessThan(50);
    await page.getByRole('searchbox').fill('house-4');
    expect(await page.locator('.lane:visible').count()).toBe(8);
    await expect.poll(() => painted(page, 'house-40')).toBeGreaterThan(300);
    await close();
  });

  test('without any script the tables are there', async () => {
    const context = await browser.newContext({ javaScriptEnabled: false });
    const page = await context.newPage();
    await page.goto(urls.broke!);
    expect(await page.getByText('stands on two invoices').count()).toBe(1);
    expect(await page.getByRole('cell', { name: 'captive' }).count()).toBe(1);
    await context.close();
  });

  test("JUnit's XML parses, whatever names are in it", async () => {
    const page = await browser.newPage();
    const { broken, messages } = await page.locator('html').evaluate(
      (html, xml) => {
        const parsed = new html.ownerDocument.defaultView.DOMParser().parseFromString(xml, 'application/xml');
        const messages = [...parsed.querySelectorAll('failure')].map((failure) => failure.getAttribute('message'));
        return { broken: parsed.querySelector('parsererror')?.textContent ?? null, messages };
      },
      junitOf([hostile()]),
    );
    expect(broken).toBeNull();
    expect(messages).toHaveLength(2);
    expect(messages[1]).toContain(`</script><img src=x onerror="document.title='owned'">&amp;'`);
    await page.close();
  });
});
