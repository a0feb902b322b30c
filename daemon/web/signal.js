/* What tells people without words: tones, vibration, and the notice that the connection is lost. */
import { clockTime, el, symbol, text } from './common.js';

const MUTED = 'earshot.muted';
const AGAIN_MS = 20000; /* how often a lost connection is heard again */

export const muted = () => localStorage.getItem(MUTED) === '1';
export const setMuted = (on) => (on ? localStorage.setItem(MUTED, '1') : localStorage.removeItem(MUTED));

let audio = null;
/* A browser plays nothing before the page was touched once: false until then. */
export const canSound = () => audio?.state === 'running';
function wake() {
  audio ??= new (window.AudioContext ?? window.webkitAudioContext)();
  if (audio.state === 'suspended') audio.resume().catch(() => {});
}
for (const what of ['pointerdown', 'keydown']) addEventListener(what, wake, { capture: true });

/* Notes one after the other, [[Hz, seconds]...], soft: the microphone may be in this room. False if it is muted or may not sound. */
export function play(notes) {
  if (muted()) return false;
  try {
    wake();
  } catch {
    return false; /* no sound device */
  }
  if (!canSound()) return false;
  let at = audio.currentTime + 0.02;
  for (const [hz, seconds] of notes) {
    const tone = new OscillatorNode(audio, { type: 'triangle', frequency: hz });
    const gain = new GainNode(audio, { gain: 0 });
    gain.gain.setValueAtTime(0, at);
    gain.gain.linearRampToValueAtTime(0.25, at + 0.02);
    gain.gain.setValueAtTime(0.25, at + seconds - 0.05);
    gain.gain.linearRampToValueAtTime(0, at + seconds);
    tone.connect(gain).connect(audio.destination);
    tone.start(at);
    tone.stop(at + seconds);
    at += seconds;
  }
  dispatchEvent(new CustomEvent('earshot-tone', { detail: notes }));
  return true;
}
const LOST = [[523, 0.25], [392, 0.25], [294, 0.5]]; /* falling: gone */
const FOUND = [[392, 0.15], [523, 0.25]]; /* rising: back */

/* Whether somebody has touched the page or pressed a key: a browser neither sounds nor vibrates before. */
export const touched = () => navigator.userActivation?.hasBeenActive ?? canSound();
export const vibrate = (pattern) => Boolean(touched() && navigator.vibrate?.(pattern));

/* Makes `element` the notice of a lost connection; returns the onState for connect(). It appears with words, an icon and a sound,
 * which comes again until the connection is back or the page is muted. The element is a live region that is hidden when empty.
 * With signedOut it also appears where a sign-in is missing: a screen that hangs on the wall is then as blind. */
export function lossNotice(element, { signedOut = false } = {}) {
  const head = el('strong');
  const words = el('span');
  element.replaceChildren(el('span', {}, symbol('link-off'), head, ' ', words)); /* now: later there is nobody to ask for the picture */
  let timer = null;
  let wasLost = false;
  const sound = () => {
    play(LOST);
    vibrate([300, 150, 300, 150, 300]);
  };
  return ({ state, reason, since }) => {
    const lost = state === 'lost' || (signedOut && state === 'signed_out');
    document.documentElement.dataset.connection = state;
    element.hidden = !lost;
    head.textContent = lost ? text(state === 'lost' ? 'connection.none' : 'connection.nobody') : '';
    words.textContent = lost ? text('connection.lost', { reason: text(`connection.${reason}`), time: clockTime(since) }) : '';
    if (lost && !timer) {
      sound();
      timer = setInterval(sound, AGAIN_MS);
    }
    if (!lost) {
      clearInterval(timer);
      timer = null;
      if (wasLost && state === 'open') play(FOUND);
    }
    wasLost = lost || (wasLost && state !== 'open');
  };
}
