/* The page without the box: an alarm screen that is opened while earshot is not reachable has to say so in its own words, and to come
 * alive when earshot is back, which the browser's error page does not. The box always comes first: nothing old is shown while it
 * answers. Of the API nothing is ever kept. */
const SHELL = 'earshot-shell';
const PATIENCE_MS = 3000;

const keep = (request, answer) => caches.open(SHELL).then((cache) => cache.put(request, answer));
const ours = (url) => url.origin === location.origin && !/^\/(api\/|metrics|healthz|readyz)/.test(url.pathname);

addEventListener('install', () => skipWaiting());
addEventListener('activate', (e) => e.waitUntil(clients.claim()));

/* A page tells what it was made of. */
addEventListener('message', (e) => {
  const wanted = e.data.filter((url) => ours(new URL(url)));
  e.waitUntil(Promise.allSettled(wanted.map(async (url) => {
    const answer = await fetch(url);
    if (answer.ok) await keep(url, answer);
  })));
});

async function answer(request) {
  const kept = await caches.match(request, { ignoreSearch: true });
  const late = new Promise((resolve) => kept && setTimeout(resolve, PATIENCE_MS, kept));
  const fresh = fetch(request).then((got) => {
    if (got.ok && got.type === 'basic') keep(request, got.clone());
    return got;
  });
  return Promise.race([late, fresh.catch((e) => kept ?? Promise.reject(e))]);
}

addEventListener('fetch', (e) => {
  if (e.request.method === 'GET' && ours(new URL(e.request.url))) e.respondWith(answer(e.request));
});
