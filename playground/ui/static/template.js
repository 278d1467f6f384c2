// The button beside the template's name, and the panel that it opens; what is in it is fetched on first use.

import { complain } from './dialogs.js';
import { h, iconButton } from './dom.js';
import { t } from './text.js';

export function templateEditor() {
  const panel = h('section.template-editor', { id: 'template-editor', hidden: true, 'aria-label': t('template.edit') });
  const button = iconButton('pencil', t('template.edit'), toggle);
  button.setAttribute('aria-expanded', 'false');
  button.setAttribute('aria-controls', panel.id);
  let fields = null;

  async function toggle() {
    const open = panel.hidden;
    try {
      fields ??= (await import('./studio/template_fields.js')).templateFields(panel);
      await fields.then((all) => open && all.draw());
      panel.hidden = !open;
      button.setAttribute('aria-expanded', String(open));
    } catch (error) {
      fields = null;
      complain(error);
    }
  }

  return { button, panel };
}
