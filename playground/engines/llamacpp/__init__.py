"""The llama.cpp engine, in this process, on the library's low-level interface.

Imports ``llama_cpp``; import this package only to use it. One thread owns a context (``loop``), a store of
lines shares what several texts have in common (``lines``), and everything else is a value or a thin view
of native memory.
"""
