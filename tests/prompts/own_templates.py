# ruff: noqa: E501  (templates are kept in the lines that they are thought in)
"""Chat templates of our own, one for each construct and family shape that is found in the wild."""

from __future__ import annotations

_OPEN = r"{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
_TURN = r"'<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n'"
_THOUGHT_CUT = r"{%- set text = m.content.split('</think>')[-1].lstrip('\n') %}"


def _chatml(content: str, *, before: str = "", inside: str = "") -> str:
    """ChatML with another expression for a message's content."""
    return (
        before
        + "{% for m in messages %}"
        + inside
        + r"{{ '<|im_start|>' + m.role + '\n' }}{{ "
        + content
        + r" }}{{ '<|im_end|>\n' }}{% endfor %}"
        + _OPEN
    )


def _strict(check: str, body: str) -> str:
    return (
        "{% for m in messages %}{% if "
        + check
        + " %}{{ raise_exception('roles must alternate user/assistant') }}{% endif %}"
        + body
        + "{% endfor %}"
    )


_ALTERNATE = "(m['role'] == 'user') != (loop.index0 % 2 == 0)"
_INST = (
    "{% if m.role == 'user' %}{{ '[INST] ' + m.content + ' [/INST]' }}"
    "{% else %}{{ ' ' + m.content + eos_token }}{% endif %}"
)

# Families: how published models write a turn.
FAMILIES: dict[str, str] = {
    "chatml": "{% for m in messages %}{{ " + _TURN + " }}{% endfor %}" + _OPEN,
    "chatml with a default system text": (
        "{% if messages[0].role != 'system' %}{{ '<|im_start|>system\\nBe helpful.<|im_end|>\\n' }}{% endif %}"
        "{% for m in messages %}{{ " + _TURN + " }}{% endfor %}" + _OPEN
    ),
    "a start token": "{{ bos_token }}{% for m in messages %}{{ " + _TURN + " }}{% endfor %}" + _OPEN,
    "headers with ids": (
        "{{ bos_token }}{% for m in messages %}"
        r"{{ '<|start_header_id|>' + m.role + '<|end_header_id|>\n\n' + m.content | trim + '<|eot_id|>' }}"
        "{% endfor %}{% if add_generation_prompt %}"
        r"{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
    ),
    "instructions in brackets": "{{ bos_token }}" + _strict(_ALTERNATE, _INST),
    "a system text in the first instruction": (
        "{% if messages[0].role == 'system' %}{% set loop_messages = messages[1:] %}"
        r"{% set system = '<<SYS>>\n' + messages[0].content.strip() + '\n<</SYS>>\n\n' %}"
        "{% else %}{% set loop_messages = messages %}{% set system = '' %}{% endif %}"
        "{% for m in loop_messages %}{% if m.role == 'user' %}"
        "{{ bos_token + '[INST] ' + (system if loop.first else '') + m.content.strip() + ' [/INST]' }}"
        "{% else %}{{ ' ' + m.content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"
    ),
    "a system text in the last instruction": (
        "{% if messages[0].role == 'system' %}{% set system = messages[0].content %}"
        "{% set talk = messages[1:] %}{% else %}{% set talk = messages %}{% endif %}"
        "{% for m in talk %}{% if m.role == 'user' %}{% if loop.last and system is defined %}"
        r"{{ '[INST] ' + system + '\n\n' + m.content + '[/INST]' }}{% else %}"
        "{{ '[INST] ' + m.content + '[/INST]' }}{% endif %}"
        "{% else %}{{ m.content + eos_token }}{% endif %}{% endfor %}"
    ),
    "turns of a model": (
        "{{ bos_token }}{% if messages[0]['role'] == 'system' %}"
        "{{ raise_exception('System role not supported') }}{% endif %}"
        + _strict(
            _ALTERNATE,
            "{% if m.role == 'assistant' %}{% set role = 'model' %}{% else %}{% set role = m.role %}{% endif %}"
            r"{{ '<start_of_turn>' + role + '\n' + m.content | trim + '<end_of_turn>\n' }}",
        )
        + r"{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
    ),
    "a prefix of the first user message": (
        "{{ bos_token }}{%- if messages[0]['role'] == 'system' -%}"
        r"{%- set prefix = messages[0]['content'] + '\n\n' -%}{%- set talk = messages[1:] -%}"
        "{%- else -%}{%- set prefix = '' -%}{%- set talk = messages -%}{%- endif -%}"
        "{%- for m in talk -%}{%- if m.role == 'assistant' -%}{%- set role = 'model' -%}"
        "{%- else -%}{%- set role = m.role -%}{%- endif -%}"
        r"{{ '<start_of_turn>' + role + '\n' + (prefix if loop.first else '') }}"
        r"{{ m.content | trim }}{{ '<end_of_turn>\n' }}{%- endfor -%}"
        r"{%- if add_generation_prompt -%}{{ '<start_of_turn>model\n' }}{%- endif -%}"
    ),
    "speakers by name": (
        "{% for m in messages %}{% if m.role == 'system' %}{{ m.content + ' ' }}"
        "{% elif m.role == 'user' %}{{ 'USER: ' + m.content + ' ' }}"
        "{% else %}{{ 'ASSISTANT: ' + m.content + eos_token }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
    ),
    "headings": (
        r"{% for m in messages %}{% if m.role == 'system' %}{{ m.content + '\n\n' }}"
        r"{% elif m.role == 'user' %}{{ '### Instruction:\n' + m.content + '\n\n' }}"
        r"{% else %}{{ '### Response:\n' + m.content + '\n\n' }}{% endif %}{% endfor %}"
        r"{% if add_generation_prompt %}{{ '### Response:\n' }}{% endif %}"
    ),
    "roles as tokens": (
        "{% for m in messages %}"
        r"{{ '<|' + m.role + '|>\n' + m.content + '<|end|>\n' }}{% endfor %}"
        r"{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"
    ),
    "roles as tokens on lines of the template": (
        "{% for m in messages %}\n{% if m.role == 'user' %}\n<|user|>\n{{ m.content }}{{ eos_token }}\n"
        "{% elif m.role == 'system' %}\n<|system|>\n{{ m.content }}{{ eos_token }}\n"
        "{% else %}\n<|assistant|>\n{{ m.content }}{{ eos_token }}\n{% endif %}\n"
        "{% if loop.last and add_generation_prompt %}\n<|assistant|>\n{% endif %}\n{% endfor %}"
    ),
    "full-width tokens": (
        "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}{{ '<｜User｜>' + m.content }}"
        "{% elif m.role == 'assistant' %}{{ '<｜Assistant｜>' + m.content + '<｜end▁of▁sentence｜>' }}"
        "{% else %}{{ m.content }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<｜Assistant｜>' }}{% endif %}"
    ),
    "a channel for each message": (
        "{% for m in messages %}{% if m.role == 'assistant' %}"
        "{{ '<|start|>assistant<|channel|>final<|message|>' + m.content + '<|end|>' }}"
        "{% else %}{{ '<|start|>' + m.role + '<|message|>' + m.content + '<|end|>' }}{% endif %}"
        "{% endfor %}{% if add_generation_prompt %}{{ '<|start|>assistant' }}{% endif %}"
    ),
    "tokens of turns and parts": (
        "{{ bos_token }}{% for m in messages %}{{ '<|START_OF_TURN_TOKEN|>' }}"
        "{{ {'user': '<|USER_TOKEN|>', 'assistant': '<|CHATBOT_TOKEN|>', 'system': '<|SYSTEM_TOKEN|>'}[m.role] }}"
        "{{ m.content.strip() ~ '<|END_OF_TURN_TOKEN|>' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>' }}{% endif %}"
    ),
    "a role in words": (
        "{% for m in messages %}{{ '<|start_of_role|>' + m['role'] + '<|end_of_role|>' + m['content'] }}"
        r"{{ '<|end_of_text|>\n' }}{% if loop.last and add_generation_prompt %}"
        "{{ '<|start_of_role|>assistant<|end_of_role|>' }}{% endif %}{% endfor %}"
    ),
    "a human and a machine": (
        r"{% for m in messages %}{{ {'user': 'Human', 'assistant': 'Assistant', 'system': 'System'}[m.role] }}: "
        "{{ m.content }}\n\n{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}"
    ),
    "an opening that is always there": (
        "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{{ '\\n' }}{% endfor %}assistant:"
    ),
    "no system role, said by silence": (
        "{% for m in messages %}{% if m.role == 'user' %}{{ '<|user|>' + m.content }}"
        "{% elif m.role == 'assistant' %}{{ '<|bot|>' + m.content + eos_token }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|bot|>' }}{% endif %}"
    ),
    "an unknown role is refused": (
        "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}{{ '[INST] ' + m.content + ' [/INST]' }}"
        "{% elif m.role == 'assistant' %}{{ m.content + eos_token }}"
        "{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}"
    ),
    "alternation by a counter": (
        "{% set ns = namespace(n=0) %}{% for m in messages %}{% if m.role != 'system' %}"
        "{% if (m.role == 'user') != (ns.n % 2 == 0) %}{{ raise_exception('alternate') }}{% endif %}"
        "{% set ns.n = ns.n + 1 %}{% endif %}{{ " + _TURN + " }}{% endfor %}" + _OPEN
    ),
}

# Constructs: what templates do to a message.
CONSTRUCTS: dict[str, str] = {
    "past thinking is dropped": (
        "{%- for m in messages %}{%- if m.role == 'assistant' %}"
        + _THOUGHT_CUT
        + r"{{ '<|im_start|>assistant\n' + text + '<|im_end|>\n' }}{%- else %}{{ "
        + _TURN
        + " }}{% endif %}"
        "{%- endfor %}" + _OPEN
    ),
    "past thinking is kept after the last question": (
        "{%- set ns = namespace(last=-1) %}{%- for m in messages %}{%- if m.role == 'user' %}"
        "{%- set ns.last = loop.index0 %}{%- endif %}{%- endfor %}{%- for m in messages %}"
        "{%- set text = m.content %}{%- set thought = '' %}"
        "{%- if m.role == 'assistant' and '</think>' in text %}"
        r"{%- set thought = text.split('</think>')[0].rstrip('\n').split('<think>')[-1].lstrip('\n') %}"
        r"{%- set text = text.split('</think>')[-1].lstrip('\n') %}{%- endif %}"
        r"{{- '<|im_start|>' + m.role + '\n' }}{%- if thought and loop.index0 > ns.last %}"
        r"{{- '<think>\n' + thought.strip('\n') + '\n</think>\n\n' }}{%- endif %}"
        r"{{- text + '<|im_end|>\n' }}{%- endfor %}" + _OPEN
    ),
    "thinking opened by the prompt": (
        "{% for m in messages %}"
        + _THOUGHT_CUT
        + r"{{ '<|im_start|>' + m.role + '\n' + text + '<|im_end|>\n' }}"
        r"{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n<think>\n' }}{% endif %}"
    ),
    "thinking that can be switched off": (
        "{% for m in messages %}{{ " + _TURN + " }}{% endfor %}{% if add_generation_prompt %}"
        r"{{ '<|im_start|>assistant\n' }}{% if enable_thinking is defined and enable_thinking is false %}"
        r"{{ '<think>\n\n</think>\n\n' }}{% endif %}{% endif %}"
    ),
    "effort of reasoning": (
        "{% if not reasoning_effort is defined %}{% set reasoning_effort = 'medium' %}{% endif %}"
        r"{{ '<|im_start|>system\nReasoning: ' + reasoning_effort + '<|im_end|>\n' }}"
        "{% for m in messages %}{{ " + _TURN + " }}{% endfor %}" + _OPEN
    ),
    "trimmed": _chatml("m.content | trim"),
    "stripped of newlines": _chatml(r"m.content.strip('\n')"),
    "stripped on the left": _chatml("m.content.lstrip()"),
    "stripped on the right": _chatml("m['content'].rstrip()"),
    "in capitals": _chatml("m.content | upper"),
    "in small letters": _chatml("m.content.lower()"),
    "with a first capital": _chatml("m.content | capitalize"),
    "as a title": _chatml("m.content | title"),
    "escaped for HTML": _chatml("m.content | e"),
    "as JSON": _chatml("m.content | tojson"),
    "all of it as JSON": "{{ messages | tojson }}" + _OPEN,
    "as indented JSON": "{{ messages | tojson(indent=2) }}" + _OPEN,
    "one part replaced": _chatml("m.content.replace('&', '<|amp|>')"),
    "replaced by a filter": _chatml(r"m.content | replace('\n', ' ')"),
    "put together by a tilde": _chatml("'(' ~ m.content ~ ')' ~ loop.index"),
    "put together by a join": _chatml("['<b>', m.content, '</b>'] | join('|')"),
    "put together by a method": _chatml("' '.join(['<b>', m.content])"),
    "put together by a percent sign": _chatml("'<b>%s</b>%s' % (m.content, m.role)"),
    "put together by a format": _chatml("'<b>{}</b>{role}'.format(m.content, role=m.role)"),
    "put together by a filter's format": _chatml("'<b>%s</b>' | format(m.content)"),
    "split into lines": _chatml(r"m.content.splitlines() | join('\n')"),
    "split into words": _chatml("m.content.split() | join(' ')"),
    "cut in two": _chatml("m.content.partition(' ')[0] + '|' + m.content.partition(' ')[2]"),
    "letter by letter": (
        r"{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}{% for c in m.content %}{{ c }}{% endfor %}"
        r"{{ '<|im_end|>\n' }}{% endfor %}" + _OPEN
    ),
    "sliced": _chatml("m.content[:3] + m.content[3:]"),
    "backwards": _chatml("m.content | reverse | reverse"),
    "twice": _chatml("m.content + '<|sep|>' + m.content"),
    "indented": _chatml("m.content | indent(2)"),
    "centred": _chatml("m.content | center(80)"),
    "in a list": _chatml("[m.content] | first"),
    "in a mapping": _chatml("{'text': m.content}.text"),
    "in a namespace": _chatml(
        "ns.text", before="{% set ns = namespace(text='') %}", inside="{% set ns.text = m.content %}"
    ),
    "in a block": _chatml("text", inside="{% set text %}<b>{{ m.content }}</b>{% endset %}"),
    "in a filter block": (
        "{% for m in messages %}{% filter trim %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>{% endfilter %}"
        "{% endfor %}" + _OPEN
    ),
    "by a macro": _chatml(
        "shown(m)", before="{% macro shown(m) %}{{ '<b>' + m.content + '</b>' }}{% endmacro %}"
    ),
    "by a macro that is called with a block": (
        "{% macro turn(role) %}{{ '<|im_start|>' + role + '\\n' + caller() + '<|im_end|>\\n' }}{% endmacro %}"
        "{% for m in messages %}{% call turn(m.role) %}{{ m.content }}{% endcall %}{% endfor %}" + _OPEN
    ),
    "generation": (
        "{% for m in messages %}{% if m.role == 'assistant' %}"
        r"{{ '<|im_start|>assistant\n' }}{% generation %}{{ m.content + '<|im_end|>' }}{% endgeneration %}{{ '\n' }}"
        "{% else %}{{ " + _TURN + " }}{% endif %}{% endfor %}" + _OPEN
    ),
    "the date": (
        r"{{ '<|im_start|>system\nToday: ' + strftime_now('%d %b %Y') + '<|im_end|>\n' }}"
        "{% for m in messages %}{{ " + _TURN + " }}{% endfor %}" + _OPEN
    ),
    "loop controls": (
        "{% for m in messages %}{% if not m.content %}{% continue %}{% endif %}{{ "
        + _TURN
        + " }}{% endfor %}"
        + _OPEN
    ),
    "the last message first": ("{% for m in messages | reverse %}{{ " + _TURN + " }}{% endfor %}" + _OPEN),
    "tools if there are any": (
        r"{% if tools %}{{ '<tools>' + tools | tojson + '</tools>\n' }}{% endif %}"
        "{% if documents %}{{ documents | tojson }}{% endif %}"
        "{% for m in messages %}{{ " + _TURN + " }}{% endfor %}" + _OPEN
    ),
    "tools without a look": (
        "{% for tool in tools %}{{ tool | tojson }}{% endfor %}{% for m in messages %}{{ "
        + _TURN
        + " }}{% endfor %}"
        + _OPEN
    ),
    "content in parts": (
        "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' }}{% for p in m.content %}"
        "{% if p.type == 'text' %}{{ p.text }}{% endif %}{% endfor %}{{ '<|im_end|>\\n' }}{% endfor %}"
        + _OPEN
    ),
    "content in parts or as text": (
        "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' }}{% if m.content is string %}{{ m.content }}"
        "{% else %}{% for p in m.content %}{{ p['text'] }}{% endfor %}{% endif %}{{ '<|im_end|>\\n' }}{% endfor %}"
        + _OPEN
    ),
    "content in parts for users alone": (
        "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' }}{% if m.role == 'user' %}"
        "{% for p in m.content %}{{ p.text }}{% endfor %}{% else %}{{ m.content + '' }}{% endif %}"
        "{{ '<|im_end|>\\n' }}{% endfor %}" + _OPEN
    ),
    "the first part alone": _chatml("m.content[0].text"),
    "a wrapping whose end depends on the text": _chatml(
        "m.content + ('' if m.content.endswith('.') else '.')"
    ),
    "a wrapping that depends on control tokens": _chatml(
        "m.content if '<|im_end|>' not in m.content else m.content.replace('<|im_end|>', '<|im_sep|>')"
    ),
}
TEMPLATES: dict[str, str] = {**FAMILIES, **CONSTRUCTS}
