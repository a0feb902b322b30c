/* Microphone and broker at a glance, and in full. */
import { duration, el, hasText, symbol, text } from './common.js';

export function startState() {
  const $ = (id) => document.getElementById(id);

  function chip(element, good, icon, words) {
    element.className = `chip ${good ? 'good' : 'bad'}`;
    element.replaceChildren(symbol(icon), el('span', {}, words), symbol(good ? 'check' : 'warning'));
  }
  function show(s) {
    $('node').textContent = s.node;
    const hears = s.listening && s.input.state === 'ok' && !s.input.problem;
    chip($('chip-input'), hears, hears ? 'mic' : 'mic-off', inputShort(s));
    const broker = s.broker;
    $('chip-broker').hidden = !broker.enabled;
    chip(
      $('chip-broker'),
      broker.connected,
      broker.connected ? 'broker' : 'broker-off',
      text(broker.connected ? 'broker.short.on' : 'broker.short.off'),
    );
    $('facts').replaceChildren(
      ...facts(s).flatMap(([name, value, problem]) => [
        el('dt', {}, text(`state.${name}`)),
        el('dd', {}, value, problem ? el('span', { class: 'problem' }, symbol('warning'), problem) : null),
      ]),
    );
  }
  function inputShort(s) {
    if (!s.listening) return text('input.short.paused');
    if (s.input.state !== 'ok') return text('input.short.gone');
    return text(s.input.problem ? 'input.short.problem' : 'input.short.ok');
  }
  function facts(s) {
    const { input, broker, history, clips, counters } = s;
    const stateName = hasText(`input.${input.state}`) ? text(`input.${input.state}`) : input.state;
    const lost = input.lost_frames ? text('state.lost', { n: input.overruns, frames: input.lost_frames }) : null;
    const list = [
      [
        'input',
        `${input.device || '–'} · ${stateName}${input.rate ? ` · ${input.rate / 1000} kHz` : ''}`,
        input.problem || lost,
      ],
      [
        'broker',
        broker.enabled ? `${broker.host}:${broker.port} · ${brokerText(broker)}` : text('broker.disabled'),
        broker.problem,
      ],
      ['model', s.model],
      [
        'heard',
        text('state.windows', { n: counters.events, windows: counters.windows.toLocaleString() }),
        counters.windows_dropped ? text('state.dropped', { n: counters.windows_dropped }) : null,
      ],
      ['history', history.enabled ? text('state.events', { n: history.events ?? 0 }) : text('state.off')],
      [
        'clips',
        clips.enabled
          ? text('state.files', { n: clips.files ?? 0, mb: ((clips.bytes ?? 0) / 1e6).toFixed(1) })
          : text('state.off'),
      ],
      ['uptime', duration(s.uptime_s)],
      ['version', s.version],
    ];
    if (typeof s.watchers === 'number') list.push(['watchers', String(s.watchers)]);
    return list;
  }
  function brokerText(broker) {
    if (broker.connected) return text('broker.sent', { n: broker.sent });
    return broker.queued ? text('broker.waiting', { n: broker.queued }) : text('broker.away');
  }
  /* Without a connection nobody knows: no tick that reassures. */
  function lost() {
    for (const name of ['input', 'broker']) {
      const [icon, words] = $(`chip-${name}`).children;
      if (!words) continue;
      words.textContent = text(`${name}.short.unknown`);
      $(`chip-${name}`).className = 'chip';
      $(`chip-${name}`).replaceChildren(icon, words); /* no picture that would have to be asked for now */
    }
  }
  return { show, lost };
}
