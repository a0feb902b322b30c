/* What this device can do for an alarm, and what it lacks: the screen that stays on, vibration, sound, installing. */
import { muted, touched } from './signal.js';

let lock = null;
let wanted = false;

async function acquire() {
  if (!wanted || lock || document.visibilityState !== 'visible') return;
  try {
    lock = await navigator.wakeLock.request('screen');
    lock.addEventListener('release', () => {
      lock = null;
      dispatchEvent(new Event('earshot-awake'));
      setTimeout(acquire, 1000); /* a battery that is low, say: it may be given again */
    });
  } catch {
    lock = null; /* battery saver, no permission: tried again when the page is next looked at or touched */
  }
  dispatchEvent(new Event('earshot-awake'));
}

/* Keeps the screen on as long as the page is in view. The browser lets go of it whenever it is not. */
export function stayAwake() {
  if (wanted || !('wakeLock' in navigator)) return;
  wanted = true;
  document.addEventListener('visibilitychange', acquire);
  addEventListener('pointerdown', acquire);
  addEventListener('keydown', acquire);
  acquire();
}

export const awake = () => Boolean(lock);

/* What is missing here, the gravest first: "awake", "vibrate", "install", "touch" (not touched yet). */
export function lacks() {
  const missing = [];
  const installed = matchMedia('(display-mode: standalone), (display-mode: fullscreen)').matches;
  if (!awake()) missing.push('awake');
  if (matchMedia('(pointer: coarse)').matches && !navigator.vibrate) missing.push('vibrate');
  if (!isSecureContext && !installed) missing.push('install');
  if (!touched() && (!muted() || navigator.vibrate)) missing.push('touch');
  return missing;
}

/* The page opens without the box, and then says so, where the browser allows it (https, or this very machine). */
export function keepShell() {
  if (!isSecureContext || !('serviceWorker' in navigator)) return;
  const register = async () => {
    try {
      await navigator.serviceWorker.register('/sw.js');
      const worker = (await navigator.serviceWorker.ready).active;
      const files = performance.getEntriesByType('resource').map((r) => r.name);
      worker.postMessage([...files, location.origin + location.pathname]);
    } catch (e) {
      console.warn('no service worker:', e.message); /* a certificate that the browser was told to bear with, say */
    }
  };
  if (document.readyState === 'complete') register();
  else addEventListener('load', register);
}
