"""The transformers engine: any safetensors model of the hub, on CUDA, MPS or CPU.

Imports ``torch`` and ``transformers``; import this package only to use it. The decode loop, its lanes and
its lines are ``batching``'s; what is here is a pool of KV cells behind transformers' cache interface
(``cells``, ``cache``, ``context``), a tokenizer with the same meaning (``vocab``), and loading.
"""
