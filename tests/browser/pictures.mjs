/* The README's pictures: a kitchen in which a dog barks and then the smoke alarm sounds. tests/system/browser.sh pictures */
import { copyFileSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { Box, ROOT, sleep } from './harness.mjs';

const SIZE = { width: 1280, height: 700 };
const WHERE = path.join(ROOT, 'conf/pictures');

export default async function pictures(run) {
  const box = await Box.start();
  mkdirSync(WHERE, { recursive: true });
  try {
    const flash = await run.page({ viewport: { width: 960, height: 540 } });
    await flash.goto(`${box.url}/flash`);
    const page = await run.page({ viewport: SIZE, colorScheme: 'light' });
    await page.goto(box.url);
    for (const sound of ['knock', 'speech', 'clock_digital']) {
      box.play(`tests/data/${sound}.flac`);
      await sleep(8000);
    }
    box.publish('ack', 'all');
    box.play('tests/data/smoke_t3.flac');
    await flash.waitForSelector('.pane[data-look=smoke_alarm]');
    await sleep(2500);
    await run.shot(page, 'picture-page');
    await flash.evaluate(() => {
      for (const animation of document.getAnimations()) {
        animation.pause();
        animation.currentTime = 0; /* the bright half of a flash */
      }
    });
    await run.shot(flash, 'picture-flash');
    for (const name of ['flash', 'page'])
      copyFileSync(path.join(process.env.BROWSER_OUT, `picture-${name}.png`), path.join(WHERE, `${name}.png`));
    await run.check('pictures taken', true);
  } finally {
    await box.stop();
  }
}
