"""Any server that speaks OpenAI's completions: vLLM, SGLang, llama.cpp's two, OpenAI itself.

Imports ``openai``; import this package only to use it. Needs no worker process: a server is one already.
What a server cannot do in the meaning that every engine shares is refused by name, never done otherwise.
"""
