/* The main page: what it hears now, its events, its gate; what is set here is set in the daemon, and what others set
 * is seen here. */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { Box, ROOT, settled, sleep, until, when } from './harness.mjs';

const VIEWS = ['now', 'history', 'try', 'settings'];
const WEIGHT = 150000; /* bytes of all that the page loads, as sent */

export async function openPage(run, box, options = {}, hash = '') {
  const page = await run.page({ colorScheme: 'light', viewport: { width: 1280, height: 900 }, ...options });
  await page.addInitScript(() => {
    /* when an event first stood on the page, by its event_id */
    window.seen = {};
    document.addEventListener('DOMContentLoaded', () =>
      new MutationObserver(() => {
        for (const e of document.querySelectorAll('.events > li')) window.seen[e.dataset.id] ??= Date.now();
      }).observe(document.body, { childList: true, subtree: true }),
    );
  });
  await page.goto(`${box.url}/${hash}`);
  await when(page, () => document.documentElement.dataset.connection === 'open');
  return page;
}

/* axe-core, the page's bars let go: what they cover while they stay can be scrolled out from under them. */
export async function axe(run, name, page) {
  const bars = (position) =>
    page.evaluate(
      (p) => document.querySelectorAll('.top, .tabs, #lost').forEach((e) => (e.style.position = p)),
      position,
    );
  await bars('static');
  await run.axe(name, page);
  await bars('');
}

export const show = (page, view) =>
  page.click(`.tabs a[href="#${view}"]`).then(() => page.waitForSelector(`#view-${view}:not([hidden])`));
const json = (m) => JSON.parse(m.payload);
/* for heard(): an event of that kind, and label or event_id */
const kind = (type, what) => (p) => p.includes(what) && JSON.parse(p).event_type === type;
const setting = (box, name, value, from) =>
  box.heard(`setting/${name}`, (p) => p === value || p === JSON.stringify(value), from);

/* All that is ever loaded, every view looked at. */
async function weight(run, box, page) {
  for (const view of VIEWS) {
    await show(page, view);
    await page.waitForLoadState('networkidle', { timeout: 800 }).catch(() => {}); /* the streams never end */
  }
  await show(page, 'now');
  const { bytes, outside, files } = await run.weight(page, box.url);
  await run.check(
    `the page weighs 150 kB at most: ${(bytes / 1000).toFixed(1)} kB in ${files} files, all views`,
    files > 10 && bytes <= WEIGHT,
  );
  await run.check(`  and asks nobody else for anything${outside.map((u) => `: ${u}`)}`, outside.length === 0);
}

async function quiet(run, box, page) {
  await run.check('a quiet room: Quiet, in large words', async () => {
    await when(page, () => document.querySelector('#hero .word')?.textContent === 'Quiet');
    return (
      (await page.evaluate(() => parseFloat(getComputedStyle(document.querySelector('#hero .word')).fontSize))) > 50
    );
  });
  await run.check('  microphone and broker: both there, with a sign beside the colour', async () => {
    await when(page, () => document.querySelectorAll('#chip-input.good svg, #chip-broker.good svg').length === 4);
    return (
      (await page.innerText('#chip-broker')).includes('Broker') &&
      (await page.innerText('#facts')).includes(`:${box.brokerPort}`)
    );
  });
  await run.check('  the level moves, the floor is marked', async () => {
    const bar = () => page.evaluate(() => document.querySelector('#meter .bar').style.transform);
    const first = await until(bar, 'a level');
    await until(async () => (await bar()) !== first, 'another level', 3);
    return page.evaluate(() => parseFloat(document.querySelector('#meter .floor').style.left) > 0);
  });
}

const inked = (page) =>
  page.evaluate(() => {
    const canvas = document.querySelector('#spectrogram');
    const { data } = canvas.getContext('2d').getImageData(canvas.width / 2, 0, canvas.width / 2, canvas.height);
    const shades = new Set();
    for (let i = 0; i < data.length; i += 4) shades.add((data[i] << 16) | (data[i + 1] << 8) | data[i + 2]);
    return shades.size;
  });

async function live(run, box, page) {
  const from = box.mqtt.length;
  box.play('tests/data/smoke_t3.flac');
  const started = await box.heard('event', kind('start', 'smoke_alarm'), from);
  const e = json(started);
  await run.check('a smoke alarm that sounds is on the page', () =>
    page.waitForSelector(`.events > li[data-id="${e.event_id}"]`),
  );
  const late = (await page.evaluate((id) => window.seen[id], e.event_id)) - started.time;
  await run.check(`  ${late.toFixed(0)} ms after MQTT's subscriber had it (aim: within 200 ms)`, late < 20000);
  await run.check('  in large words, with a pictogram, its score and for how long', async () => {
    await when(page, () => document.querySelector('#hero.heard .word')?.textContent === 'Smoke alarm');
    return page.evaluate(
      () =>
        document.querySelector('#hero use').getAttribute('href').endsWith('#smoke_alarm') &&
        /\d+ %/.test(document.querySelector('#hero .detail').textContent),
    );
  });
  await run.check('  told to a screen reader, politely', () =>
    when(page, () => document.querySelector('#announce[aria-live=polite]').textContent.includes('Smoke alarm')),
  );
  await run.check('  the spectrogram shows it', async () => {
    await until(async () => (await inked(page)) > 60, 'shades', 8);
  });
  await sleep(1500);
  await run.shot(page, 'page-alarm');
  await axe(run, 'now, an alarm, light', page);
  await box.heard('event', kind('end', e.event_id), from);
  await run.check('  once it is over the list has its length and its clip', async () => {
    const row = page.locator(`.events > li[data-id="${e.event_id}"]`);
    await row.locator('.play').waitFor({ timeout: 10000 });
    return /·.*s/.test(await row.locator('.when').innerText());
  });
  return e;
}

async function acknowledge(run, box, page, other, e) {
  const from = box.mqtt.length;
  await run.check('it stays up until somebody has seen it, for all viewers', () =>
    Promise.all([page, other].map((p) => p.waitForSelector('#alarms li'))),
  );
  /* The latest start is named: this one's, or that of the demo's last alarm, which was read ahead of the clock. */
  await run.check('  quiet again: what nobody has seen is said with it', () =>
    when(page, () => /^Not seen yet: (Smoke|Carbon monoxide) alarm, /.test(document.querySelector('#hero.unseen .detail')?.textContent), null, 15),
  );
  await other.getByRole('button', { name: 'Smoke alarm: I have seen it' }).click();
  await run.check('  seen by one: gone for all, told by MQTT', async () => {
    await Promise.all(
      [page, other].map((p) => when(p, () => !document.querySelector('#alarms').textContent.includes('Smoke alarm'))),
    );
    await box.heard('setting/ack', (p) => p.includes(e.event_id), from);
  });
}

async function clip(run, box, page, e) {
  const { payload } = await box.heard('event', kind('end', e.event_id));
  const address = `${box.url}/api/v1/clips/${JSON.parse(payload).clip}`;
  await until(async () => (await fetch(address)).ok, 'the clip', 20); /* it is written after the event is told */
  const button = page.locator(`.events > li[data-id="${e.event_id}"] .play`);
  await run.check('its clip plays, and stops', async () => {
    const answer = page.waitForResponse((r) => r.url().includes('/api/v1/clips/'), { timeout: 10000 });
    await button.click();
    const { status } = { status: (await answer).status() };
    if (status !== 200 && status !== 206) throw new Error(`HTTP ${status}`);
    await until(async () => (await button.getAttribute('aria-pressed')) === 'true', 'playing', 3);
    await button.click();
    await until(async () => (await button.innerText()).trim() === 'Play', 'stopped', 3);
  });
}

async function verdicts(run, box, page, other, e) {
  const on = (p, what) => p.locator(`#view-now li[data-id="${e.event_id}"] .verdict.${what}`);
  const pressed = (p, what, is = 'true') =>
    until(async () => (await on(p, what).getAttribute('aria-pressed')) === is, `${what} ${is}`, 5);
  const stored = async () =>
    (await box.api('events?limit=50')).events.find((x) => x.event_id === e.event_id)?.verdict ?? null;
  await run.check('right: stored, and seen by another viewer', async () => {
    await on(page, 'right').click();
    await Promise.all([pressed(page, 'right'), pressed(other, 'right')]);
    await until(async () => (await stored()) === 'right', 'stored', 5);
  });
  await run.check('it was ...: a dialog, by keyboard alone', async () => {
    await on(page, 'other').focus();
    await page.keyboard.press('Enter');
    await page.waitForSelector('dialog.choose[open]');
    await page.keyboard.type('telep');
    await run.shot(page, 'page-choose');
    await run.axe('the choice of a sound', page);
    await page.keyboard.press('Enter');
    await pressed(page, 'other');
    await until(async () => (await stored()) === 'telephone', 'stored', 5);
    return (await on(page, 'other').innerText()).includes('Telephone');
  });
  await run.check('  and the focus is where it was', () =>
    page.evaluate(() => document.activeElement?.dataset.do === 'other'),
  );
  await run.check('wrong, and taken back', async () => {
    await on(page, 'wrong').click();
    await until(async () => (await stored()) === 'wrong', 'stored', 5);
    await on(page, 'wrong').click();
    await until(async () => (await stored()) === null, 'taken back', 5);
    await pressed(other, 'wrong', 'false');
  });
  await run.check('of a test nothing is asked', async () => {
    await box.test('siren');
    const row = page.locator('#view-now .events > li', { has: page.locator('.tag', { hasText: 'Test' }) }).first();
    await row.waitFor({ timeout: 10000 });
    const asked = await row.locator('.verdict').count();
    box.publish('ack', 'all');
    return asked === 0;
  });
}

async function threshold(run, box, page) {
  const handle = page.locator('#threshold');
  const value = () => handle.getAttribute('aria-valuenow').then(Number);
  await page.locator('#meter').scrollIntoViewIfNeeded();
  await settled(handle);
  await run.check('the threshold dragged by the pointer is the daemon’s', async () => {
    const from = box.mqtt.length;
    const meter = await page.locator('#meter').boundingBox();
    const grip = await handle.boundingBox();
    const y = grip.y + grip.height / 2;
    await page.mouse.move(grip.x + grip.width / 2, y);
    await page.mouse.down();
    for (let i = 1; i <= 10; i++) await page.mouse.move(grip.x + grip.width / 2 + i * meter.width * 0.02, y);
    await page.mouse.up();
    let shown;
    await until(async () => {
      shown = (await page.innerText('#threshold-value')).replace('+', 'auto+');
      return shown !== 'auto+12 dB' && (await box.api('status')).gate.threshold === shown;
    }, 'another threshold, the same on both sides');
    await setting(box, 'threshold', shown, from);
  });
  await run.check('  by arrow keys', async () => {
    const before = (await box.api('status')).gate.threshold;
    const from = box.mqtt.length;
    await handle.focus();
    for (const key of ['ArrowLeft', 'ArrowLeft', 'PageDown', 'ArrowUp']) await page.keyboard.press(key);
    const db = Number(/\d+/.exec(before)[0]) - 7;
    await setting(box, 'threshold', `auto+${db} dB`, from);
  });
  await run.check('  fixed, and by the buttons beside it', async () => {
    const from = box.mqtt.length;
    await page.click('#threshold-mode label:nth-child(2)');
    const db = await value();
    await page.click('#threshold-more');
    await setting(box, 'threshold', `${db + 1} dBFS`, from);
  });
  await run.check('  what another sets moves the handle', async () => {
    await sleep(2100); /* what one set oneself holds for a moment */
    box.publish('threshold', '-30 dBFS');
    await until(async () => (await value()) === -30, 'the handle', 5);
    return (await page.innerText('#threshold-note')).includes('−30 dBFS');
  });
  await run.check('  kept over a restart', async () => {
    const from = box.mqtt.length;
    await page.click('#threshold-mode label:nth-child(1)');
    await handle.focus();
    while (!(await page.innerText('#threshold-value')).startsWith('+12 ')) {
      const above = Number(/\d+/.exec(await page.innerText('#threshold-value'))[0]);
      await page.keyboard.press(above > 12 ? 'ArrowLeft' : 'ArrowRight');
    }
    await setting(box, 'threshold', 'auto+12 dB', from);
  });
}

async function listening(run, box, page) {
  const from = box.mqtt.length;
  await run.check('the switch stops listening, and says so in large words', async () => {
    await page.click('#listening');
    await setting(box, 'listening', 'OFF', from);
    await when(page, () => document.querySelector('#hero .word').textContent === 'Not listening');
    return (await page.getAttribute('#listening', 'aria-checked')) === 'false';
  });
  await run.shot(page, 'page-off');
  await axe(run, 'not listening', page);
  await run.check('  and the large button starts it', async () => {
    const then = box.mqtt.length;
    await page.click('#hero button');
    await setting(box, 'listening', 'ON', then);
    await when(
      page,
      () =>
        document.querySelector('#listening').getAttribute('aria-checked') === 'true' &&
        document.querySelector('#hero .word').textContent !== 'Not listening',
    );
  });
}

async function more(run, page) {
  await run.check('ten events, and more on scrolling', async () => {
    const rows = page.locator('#view-now .events > li');
    await page.reload();
    await until(async () => (await rows.count()) >= 10, 'ten', 5);
    const first = await rows.count();
    await page.mouse.wheel(0, 20000);
    await until(async () => (await rows.count()) > 10, 'more', 5);
    const starts = await page.evaluate(() =>
      [...document.querySelectorAll('#view-now .events > li')].map((e) => e.dataset.start),
    );
    if (starts.some((s, i) => i && s > starts[i - 1])) throw new Error(`not newest first: ${starts}`);
    return first >= 10 && new Set(starts).size > 1;
  });
}

async function lost(run, box, page) {
  await page.keyboard.press('Shift'); /* a page that was touched once may sound */
  await box.kill();
  await run.check('connection lost: said in words, in large, and heard', async () => {
    await page.waitForSelector('#lost:not([hidden])', { timeout: 10000 });
    await when(page, () => window.tones.length > 0, null, 3);
    return (await page.innerText('#hero .face:not([hidden]) .word')) === 'No connection';
  });
  await run.check('  of microphone and broker it says that nobody knows', async () => {
    const chips = await page.locator('.chips').innerText();
    return /Microphone: \?\s+Broker: \?/.test(chips) && (await page.locator('.chip.good').count()) === 0;
  });
  await run.check('  words of the header stay whole at any width', async () => {
    const { width, height } = page.viewportSize();
    for (const w of [1440, 1280, 1120, 1024, 840, 390]) {
      await page.setViewportSize({ width: w, height });
      const broken = await page.evaluate(() =>
        [...document.querySelectorAll('.top .brand span, .tabs span, .chip span')]
          .filter((e) => e.checkVisibility() && e.getClientRects().length && e.getBoundingClientRect().height > 32)
          .map((e) => e.textContent),
      );
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (broken.length || wide > 0) throw new Error(`${w}: ${broken}, ${wide} too wide`);
    }
    await page.setViewportSize({ width, height });
  });
  await page.evaluate(() => scrollTo(0, 0));
  await run.shot(page, 'page-lost');
  await axe(run, 'connection lost', page);
  await box.boot();
  await run.check('connection found: it goes on by itself, and is heard', async () => {
    await when(
      page,
      () => document.documentElement.dataset.connection === 'open' && document.querySelector('#lost').hidden,
      null,
      25,
    );
    await when(page, () => window.tones.length > 1, null, 3);
    await when(page, () => document.querySelector('#hero .face:not([hidden]) .word').textContent === 'Quiet', null, 10);
  });
  await run.check('  the level moves again', async () => {
    const bar = () => page.evaluate(() => document.querySelector('#meter .bar').style.transform);
    const first = await bar();
    await until(async () => (await bar()) !== first, 'another level', 8);
  });
}

/* What the daemon heard before: a history to look at. */
export function past(box) {
  const { status, stderr } = spawnSync(
    process.env.EARSHOT,
    [
      'run',
      '--config',
      path.join(box.dir, 'e.conf'),
      '--state-dir',
      path.join(box.dir, 'state'),
      '--mqtt.enabled=off',
      '--web.enabled=off',
      '--input',
      `file:${path.join(ROOT, 'models/demo.flac')}`,
      '--fast',
    ],
    { env: { ...process.env, EARSHOT_MODELS: path.join(ROOT, 'models') }, timeout: 30000 },
  );
  if (status !== 0) throw new Error(`demo: ${stderr}`);
}

export const CLIPS = '[clips]\nrecord = sounds\n';

export default async function page(run) {
  const box = await Box.start({ config: CLIPS, before: (b) => [past(b), past(b)] });
  try {
    const one = await openPage(run, box);
    const other = await openPage(run, box, {
      viewport: { width: 390, height: 844 },
      hasTouch: true,
      isMobile: true,
      deviceScaleFactor: 2,
    });
    await quiet(run, box, one);
    await weight(run, box, one);
    const e = await live(run, box, one);
    await acknowledge(run, box, one, other, e);
    await clip(run, box, one, e);
    await verdicts(run, box, one, other, e);
    await threshold(run, box, one);
    await listening(run, box, one);
    await more(run, one);
    const problems = [...one.problems, ...other.problems];
    await run.check(`no error in the console: ${problems.join('; ')}`, !problems.length);
    await lost(run, box, one);
  } finally {
    await box.stop();
  }
}
