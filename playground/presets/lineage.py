"""Where a preset comes from and what was made of it: a tree over ``derived_from``.

A parent is looked for by its content hash, since it may have been renamed, and by its name, since it may have
been changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from playground.errors import PresetError
from playground.presets.library import PresetLibrary
from playground.presets.preset import DerivedFrom, Preset

Link = Literal["root", "same", "changed", "missing"]


@dataclass(frozen=True, slots=True)
class LineageNode:
    """A preset in a tree of descent.

    Attributes:
        name: Its name in the library, or the one that its children remember.
        hash: Content hash; of a missing one, what its children remember.
        present: Whether it is in the library.
        link: How it hangs on its parent: ``same`` = the parent is here as it was then, ``changed`` = the
            parent was changed since, ``missing`` = it is not here; ``root`` = it names none.
        children: What was made of it, by name.
    """

    name: str
    hash: str
    present: bool
    link: Link
    children: tuple[LineageNode, ...] = ()

    def walk(self, depth: int = 0) -> Iterator[tuple[int, LineageNode]]:
        """Every node with its depth, parents first."""
        yield depth, self
        for child in self.children:
            yield from child.walk(depth + 1)


def lineage(library: PresetLibrary, name: str) -> LineageNode:
    """The tree that a preset belongs to, from its oldest known ancestor on.

    Raises:
        PresetError: There is no such preset.
    """
    presets: dict[str, Preset] = {}
    for entry in library.entries():
        if entry.error is None:
            presets[entry.name] = library.load(entry.name)
    if name not in presets:
        raise PresetError(f"There is no preset '{name}'. Use one of: {', '.join(presets)}.")
    parents = {child: _parent(presets, preset) for child, preset in presets.items()}
    root = name
    seen = {name}
    while (found := parents[root]) is not None and found[0] in presets and found[0] not in seen:
        root = found[0]
        seen.add(root)
    missing = presets[root].derived_from
    above = parents[root]
    if missing is not None and above is not None and above[1] == "missing":
        # A child of nobody here: the ancestor that it remembers is the root, with all that remember the same.
        siblings = [
            child
            for child, preset in presets.items()
            if preset.derived_from == missing and parents[child] == above
        ]
        nodes = tuple(_node(presets, parents, child, frozenset()) for child in sorted(siblings))
        return LineageNode(missing.name, missing.hash, False, "root", nodes)
    return _node(presets, parents, root, frozenset())


def _node(
    presets: Mapping[str, Preset],
    parents: Mapping[str, tuple[str, Link] | None],
    name: str,
    above: frozenset[str],
) -> LineageNode:
    found = parents[name]
    above = above | {name}
    children = sorted(
        child
        for child, parent in parents.items()
        if parent is not None and parent[0] == name and parent[1] != "missing" and child not in above
    )
    return LineageNode(
        name=name,
        hash=presets[name].content_hash(),
        present=True,
        link="root" if found is None else found[1],
        children=tuple(_node(presets, parents, child, above) for child in children),
    )


def _parent(presets: Mapping[str, Preset], preset: Preset) -> tuple[str, Link] | None:
    """The name of a preset's parent, and whether it is here as it was."""
    origin: DerivedFrom | None = preset.derived_from
    if origin is None:
        return None
    named = presets.get(origin.name)
    if named is preset:
        return None
    if named is not None and named.content_hash() == origin.hash:
        return origin.name, "same"
    for name, other in presets.items():
        if other is not preset and other.content_hash() == origin.hash:
            return name, "same"
    return origin.name, "missing" if named is None else "changed"
