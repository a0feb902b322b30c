/* The README's pictures: a kitchen in which a dog barks and then the smoke alarm sounds. tests/system/browser.sh pictures */
import { copyFileSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { Box, ROOT, sleep, when } from './harness.mjs';

const SIZE = { width: 1120, height: 700 };
const WHERE = path.join(ROOT, 'conf/pictures');

export default async function pictures(run) {
  const box = await Box.start();
  mkdirSync(WHERE, { recursive: true });
  try {
    const flash = await run.page({ viewport: SIZE });
    await flash.goto(`${box.url}/flash`);
    const page = await run.page({ viewport: SIZE, colorScheme: 'light' });
    await page.goto(box.url);
    for (const sound of ['knock', 'clock_digital', 'speech', 'smoke_t3']) {
      box.play(`tests/data/${sound}.flac`);
      await sleep(9000);
    }
    await flash.waitForSelector('.pane[data-look=smoke_alarm]');
    /* in the bright half of a flash */
    await when(flash, () => getComputedStyle(document.querySelector('.pane')).color === 'rgb(0, 0, 0)');
    await run.shot(flash, 'picture-flash');
    await run.shot(page, 'picture-page');
    for (const name of ['flash', 'page'])
      copyFileSync(path.join(process.env.BROWSER_OUT, `picture-${name}.png`), path.join(WHERE, `${name}.png`));
    await run.check('pictures taken', true);
  } finally {
    await box.stop();
  }
}
