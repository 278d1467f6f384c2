// Light, dark, or as the system says.

import { session } from './store.js';

const system = matchMedia('(prefers-color-scheme: dark)');
const ORDER = ['auto', 'light', 'dark'];

export function applyTheme() {
  const { theme } = session.view;
  const dark = theme === 'dark' || (theme === 'auto' && system.matches);
  document.body.classList.toggle('dark', dark);
  document.documentElement.style.colorScheme = dark ? 'dark' : 'light';
}

export function nextTheme() {
  const at = ORDER.indexOf(session.view.theme);
  session.view.theme = ORDER[(at + 1) % ORDER.length];
  applyTheme();
}

system.addEventListener('change', applyTheme);
