/* Light, dark, or as the system has it: a button that goes through the three. */
import { el, symbol, text } from './common.js';

const ORDER = ['auto', 'light', 'dark'];
const ICON = { auto: 'auto', light: 'sun', dark: 'moon' };

export function startTheme(button, changed) {
  const now = () => document.documentElement.dataset.theme ?? 'auto';
  const show = () => {
    button.replaceChildren(symbol(ICON[now()]), el('span', { class: 'wide' }, text(`theme.${now()}`)));
    button.setAttribute('aria-label', text('theme.label', { theme: text(`theme.${now()}`) }));
  };
  button.addEventListener('click', () => {
    const next = ORDER[(ORDER.indexOf(now()) + 1) % ORDER.length];
    if (next === 'auto') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    try {
      if (next === 'auto') localStorage.removeItem('theme');
      else localStorage.setItem('theme', next);
    } catch {
      /* it holds until the page is closed */
    }
    show();
    changed();
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', changed);
  show();
}
