/* The live connection to the box: one stream of server-sent events, taken up again by itself whatever happens to the network.
 *
 * It is read with fetch and not with EventSource, because an EventSource hides what matters here: the heartbeat comments (a
 * connection that is half dead says nothing for minutes), and why it was refused (401: sign in). */

const SILENCE_MS = 25000; /* the box says something every 10 s */
const GRACE_MS = 2000; /* a connection that is back within this was not lost */
const WAIT_MS = [250, 500, 1000, 2000, 4000]; /* no longer: each second without it is one without a warning */
const OPENING_MS = 10000;

/* Feeds text as it comes; calls onMessage({type, data, id}) for each complete message. Line ends may be \n, \r\n or \r. */
export function sseParser(onMessage) {
  let rest = '';
  let type = '';
  let data = [];
  let id = null;
  const line = (text) => {
    if (text === '') {
      if (data.length) onMessage({ type: type || 'message', data: data.join('\n'), id });
      type = '';
      data = [];
      return;
    }
    const colon = text.indexOf(':');
    if (colon === 0) return; /* a comment */
    const field = colon < 0 ? text : text.slice(0, colon);
    const value = colon < 0 ? '' : text.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') type = value;
    else if (field === 'data') data.push(value);
    else if (field === 'id' && !value.includes('\0')) id = value;
  };
  return (chunk) => {
    rest += chunk;
    let end;
    while ((end = rest.search(/[\r\n]/)) >= 0) {
      if (rest[end] === '\r' && end + 1 === rest.length) return; /* its \n may follow */
      line(rest.slice(0, end));
      rest = rest.slice(end + (rest[end] === '\r' && rest[end + 1] === '\n' ? 2 : 1));
    }
  };
}

/* A stream at `path` that is kept open. onMessage(type, value) gets each message with its JSON parsed. onState({state, reason,
 * since}) is told of every change: "connecting" (at first), "open", "lost" (since when: a Date), "signed_out" (401).
 * Returns {close(), retry(), state()}. */
export function stream(path, { onMessage, onState = () => {} }) {
  let attempt = null; /* the one under way or open: {abort, answered, heard, why} */
  let lastId = null;
  let tries = 0;
  let again = null;
  let grace = null;
  let closed = false;
  let current = { state: 'connecting', reason: null, since: new Date() };

  function tell(state, reason = null, since = new Date()) {
    if (closed || (current.state === state && current.reason === reason)) return;
    current = { state, reason, since: current.state === state ? current.since : since };
    onState(current);
  }
  function take({ type, data, id }) {
    if (id !== null) lastId = id;
    let value;
    try {
      value = JSON.parse(data);
    } catch {
      console.warn('not JSON in', path, data.slice(0, 80));
      return;
    }
    onMessage(type, value);
  }
  async function read(mine) {
    const headers = { Accept: 'text/event-stream' };
    if (lastId !== null) headers['Last-Event-ID'] = lastId;
    const answer = await fetch(path, { headers, cache: 'no-store', signal: mine.abort.signal });
    if (answer.status === 401) mine.why = 'signed_out';
    else if (!answer.ok) mine.why = 'refused';
    if (!answer.ok) return;
    mine.answered = true;
    mine.heard = Date.now();
    mine.why = 'ended';
    tries = 0;
    clearTimeout(grace);
    grace = null;
    tell('open');
    const parse = sseParser(take); /* what the last one broke off in the middle of is gone with it */
    const decoder = new TextDecoder();
    const reader = answer.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      mine.heard = Date.now();
      parse(decoder.decode(value, { stream: true }));
    }
  }
  async function open() {
    clearTimeout(again);
    if (closed || attempt) return;
    const mine = { abort: new AbortController(), answered: false, heard: Date.now(), why: 'unreachable' };
    attempt = mine;
    try {
      await read(mine);
    } catch {
      /* what it was says mine.why */
    }
    attempt = null;
    if (!closed) failed(mine.why);
  }
  function failed(why) {
    if (why === 'signed_out') tell('signed_out', why);
    else if (current.state !== 'open') tell('lost', why);
    else if (!grace) {
      const since = new Date();
      grace = setTimeout(() => tell('lost', why, since), GRACE_MS);
    }
    const wait = WAIT_MS[Math.min(tries++, WAIT_MS.length - 1)];
    again = setTimeout(open, wait * (0.8 + 0.4 * Math.random()));
  }
  function hangUp(why) {
    if (!attempt) return;
    attempt.why = why;
    attempt.abort.abort();
  }
  /* A machine that slept finds its timers late and its connection dead: looked at again as soon as anybody looks. */
  function check() {
    if (attempt && Date.now() - attempt.heard > (attempt.answered ? SILENCE_MS : OPENING_MS)) hangUp('silent');
  }
  function retry() {
    tries = 0;
    if (attempt) check();
    else open();
  }
  const seen = () => document.visibilityState === 'visible' && retry();
  const offline = () => hangUp('offline'); /* and tried again: a box on this very machine is still there */
  const watch = setInterval(check, 1000);
  addEventListener('online', retry);
  addEventListener('offline', offline);
  document.addEventListener('visibilitychange', seen);
  open();
  return {
    retry,
    state: () => current,
    close() {
      closed = true;
      clearInterval(watch);
      clearTimeout(again);
      clearTimeout(grace);
      removeEventListener('online', retry);
      removeEventListener('offline', offline);
      document.removeEventListener('visibilitychange', seen);
      attempt?.abort.abort();
    },
  };
}

/* The events of the box, each kind to its handler; all are optional. See stream() for onState and what is returned. */
export function connect({ onEvent, onStatus, onSetting, onAck, onVerdict, onState } = {}) {
  const handlers = { event: onEvent, status: onStatus, setting: onSetting, ack: onAck, verdict: onVerdict };
  return stream('/api/v1/events/stream', { onMessage: (type, value) => handlers[type]?.(value), onState });
}
