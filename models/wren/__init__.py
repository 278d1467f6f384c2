"""Wren: the recipe of the bundled pair, from a table of facts to two small models.

Nothing here is imported by the product. `python -m models.wren` runs every step; each module
is one of them and can be read alone.
"""
