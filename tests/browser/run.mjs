/* run.mjs [NAME...]: the browser tests of these names (tests/browser/NAME.mjs), or all, one after the other in one browser. */
import { Run } from './harness.mjs';

const ALL = ['flash'];
const run = await Run.start();
for (const name of process.argv.slice(2).length ? process.argv.slice(2) : ALL) {
  console.log(`--- ${name}`);
  try {
    await (await import(`./${name}.mjs`)).default(run);
  } catch (e) {
    await run.check(`${name}: to the end: ${e.stack}`, false);
  }
}
process.exit((await run.stop()) ? 0 : 1);
