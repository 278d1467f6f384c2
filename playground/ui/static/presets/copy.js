// Texts to take away: onto the clipboard, or as a file.

import { fill, h } from '../dom.js';
import { t } from '../text.js';

const SAID_MS = 1600;

/** A button that copies the text of `area` and says so. */
export function copyButton(area, label = t('share.copy')) {
  const button = h('button.small', { type: 'button', onclick: copy }, label);

  async function copy() {
    try {
      await navigator.clipboard.writeText(area.value);
    } catch {
      area.select(); // no clipboard where the page is not local and not https
      document.execCommand('copy');
    }
    fill(button, t('share.copied'));
    setTimeout(() => fill(button, label), SAID_MS);
  }
  return button;
}

/** Hand a text over as a file. */
export function download(text, name) {
  const link = h('a', { href: URL.createObjectURL(new Blob([text], { type: 'text/plain' })), download: name });
  link.click();
  URL.revokeObjectURL(link.href);
}
