"""Continuous batching over any model that offers sequences of KV cells: the decode loop and all around it.

``decoding`` is what a model must offer, ``engine`` the engine interface over the loop. Knows neither
llama.cpp nor torch.
"""
