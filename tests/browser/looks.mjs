/* What holds for all views of the page: contrast and names (axe-core), sizes, the keyboard alone, less motion, plain
 * http. */
import path from 'node:path';
import { Box, ROOT, sleep } from './harness.mjs';
import { axe, openPage, past, show } from './page.mjs';
import { PHONE } from './views.mjs';

/* Each view as it is seen, in both themes and on a phone. */
async function views(run, box) {
  for (const [name, options] of [
    ['light', { colorScheme: 'light' }],
    ['dark', { colorScheme: 'dark' }],
    ['phone', PHONE],
  ]) {
    const page = await openPage(run, box, options);
    for (const view of ['now', 'history', 'try', 'settings']) {
      await show(page, view);
      if (view === 'try') {
        await page.setInputFiles('#file', path.join(ROOT, 'models/demo.flac'));
        await page.waitForSelector('.lanes .span', { timeout: 30000 });
      }
      if (view === 'settings') await page.locator('.section summary').first().click();
      await sleep(800);
      await run.shot(page, `views-${name}-${view}`);
      await axe(run, `${view}, ${name}`, page);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      const small = await page.evaluate(tooSmall);
      await run.check(
        `  ${view}, ${name}: nothing stands out to the side, targets are 24 pixels at least${small.map((s) => `; ${s}`)}`,
        wide <= 0 && !small.length,
      );
    }
    if (name === 'light') {
      await page.click('#theme');
      await page.click('#theme');
      await run.check('the switch: dark, and still after a reload', async () => {
        await page.reload();
        return page.evaluate(
          () =>
            document.documentElement.dataset.theme === 'dark' &&
            getComputedStyle(document.body).color !== 'rgb(19, 26, 36)',
        );
      });
    }
    await run.check(`${name}: no error in the console: ${page.problems.join('; ')}`, !page.problems.length);
    await page.context().close();
  }
}
const tooSmall = () =>
  [...document.querySelectorAll('a, button, input, select, summary, [role=slider]')]
    .filter((e) => {
      const target = e.closest('label') ?? e;
      const { width, height } = target.getBoundingClientRect();
      return (
        e.checkVisibility() && width > 1 && height > 1 && (width < 23.5 || height < 23.5) && !e.matches('.hour, .skip')
      );
    })
    .map((e) => e.outerHTML.slice(0, 80));

/* Every control that the tab key reaches is seen to have the focus; it reaches all of them and gets out again. */
async function keyboard(run, box) {
  const page = await openPage(run, box);
  for (const view of ['now', 'settings']) {
    if (view === 'settings') {
      await page.focus('.tabs a[href="#settings"]');
      await page.keyboard.press('Enter');
      await page.waitForSelector('.section');
    }
    await page.evaluate(() => {
      window.reached = new Set();
      document.activeElement?.blur();
      getSelection().collapse(document.body, 0);
    });
    const found = [];
    const unseen = [];
    for (let i = 0; i < 150; i++) {
      await page.keyboard.press('Tab');
      const fresh = await page.evaluate(() => {
        const e = document.activeElement;
        return e && e !== document.body && !window.reached.has(e) && !!window.reached.add(e);
      });
      if (!fresh) break;
      const look = () => page.evaluate(() => {
        const e = document.activeElement;
        const ring = (x) =>
          x && getComputedStyle(x).outlineStyle !== 'none' && parseFloat(getComputedStyle(x).outlineWidth) >= 2;
        const { top, bottom } = e.getBoundingClientRect();
        const bar = document.querySelector('.top').getBoundingClientRect().bottom;
        return {
          name: e.id || e.getAttribute('href') || e.className || e.tagName,
          ring: ring(e) || ring(e.nextElementSibling) || ring(e.closest('label')),
          hidden: bottom < bar - 40 && !e.closest('.top'),
          top,
        };
      });
      let at = await look();
      for (let wait = 0; wait < 20 && (!at.ring || at.hidden); wait++) {
        await sleep(50); // it may still be gliding into view
        at = await look();
      }
      found.push(at.name);
      if (!at.ring || at.hidden) unseen.push(at.name);
    }
    const wanted =
      view === 'now'
        ? ['#main', '#history', 'chip-input', 'theme', 'listening', 'threshold', 'threshold-more']
        : ['test-label', 'keep'];
    const missing = wanted.filter((w) => !found.includes(w));
    await run.check(
      `${view}: the tab key reaches ${found.length} controls, each is seen to have the focus${unseen.length ? `; not: ${unseen}` : ''}${missing.length ? `; missing: ${missing}` : ''}`,
      found.length > 15 && !unseen.length && !missing.length,
    );
  }
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await show(page, 'now');
  await run.check('where less motion is asked for nothing glides', () =>
    page.evaluate(() =>
      [...document.querySelectorAll('*')].every(
        (e) => parseFloat(getComputedStyle(e).transitionDuration) === 0 && getComputedStyle(e).animationName === 'none',
      ),
    ),
  );
  await page.context().close();
}

async function insecure(run, box) {
  const page = await run.page(PHONE);
  await page.goto(`http://box.test:${box.port}/`);
  await run.check('over plain http it says what is missing, and how to get TLS', async () => {
    await page.click('#insecure summary');
    const words = await page.innerText('#insecure');
    return ['screen', 'installed', 'wake lock', 'tls_cert'].every((w) => words.includes(w));
  });
  await run.shot(page, 'views-http');
  await axe(run, 'over http, phone', page);
  await page.context().close();
}

export default async function looks(run) {
  const box = await Box.start({ before: (b) => past(b) });
  try {
    await views(run, box);
    await keyboard(run, box);
    await insecure(run, box);
  } finally {
    await box.stop();
  }
}
