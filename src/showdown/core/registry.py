"""Names that stand for something to import: built-in ones, and those that installed packages add by entry points.

https://packaging.python.org/en/latest/specifications/entry-points/
"""

import contextlib
import functools
import importlib
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from showdown.core.errors import UserError, suggestion, then

Found = TypeVar("Found")


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """What an installed package adds under a name."""

    value: str
    """`module:attribute`."""
    package: str
    """Name and version of the distribution."""


class Registry(Mapping[str, str], Generic[Found]):
    """A table of names and where each is, as `module:attribute`; nothing is imported before `load` is called."""

    def __init__(
        self, kind: str, group: str, built_in: Mapping[str, str], read: Callable[[str, object], "Found | str"]
    ) -> None:
        """Set it up; installed packages are looked up when the table is first used.

        Args:
            kind: what a name stands for, as messages have it: `method`.
            group: the group of entry points that adds to the table: `showdown.methods`.
            built_in: the table without plugins.
            read: given a name and what was imported, returns the latter, or in words why it is nothing of this kind.

        """
        self.kind, self.group = kind, group
        self._built_in, self._read = dict(built_in), read

    def __getitem__(self, name: str) -> str:
        """Return where a name is."""
        return self._built_in.get(name) or self._plugins[name][0].value

    def __iter__(self) -> Iterator[str]:
        """Go through the built-in names, then through those of plugins."""
        return iter({**self._built_in, **self._plugins})

    def __len__(self) -> int:
        """Return how many names there are."""
        return len({*self._built_in, *self._plugins})

    @property
    def _plugins(self) -> Mapping[str, tuple[Plugin, ...]]:
        return _plugins(self.group, tuple(sys.path))

    def package(self, name: str) -> str | None:
        """Return name and version of the package that adds a name, or None for a built-in one."""
        return None if name in self._built_in else self._plugins[name][0].package

    def load(self, name: str) -> Found:
        """Import what a name stands for.

        Raises:
            UserError: in one line, when nothing has that name, when two things have it, or when a plugin cannot be
                used.

        """
        plugins = self._plugins.get(name, ())
        if name not in self._built_in and not plugins:
            known = then(suggestion(name, self), f"the {self.kind}s are {', '.join(self)}")
            raise UserError(f"{self.kind} `{name}` unknown{known}")
        if len(plugins) + (name in self._built_in) > 1:
            raise UserError(f"{self.kind} `{name}`: {self._clash(name, plugins)}")
        if not plugins:
            loaded = self._read(name, _imported(self._built_in[name]))
            assert not isinstance(loaded, str), loaded
            return loaded
        return self._load_plugin(name, plugins[0])

    def _clash(self, name: str, plugins: tuple[Plugin, ...]) -> str:
        packages = " and ".join(sorted(f"`{one.package}`" for one in plugins))
        if name in self._built_in:
            return (
                f"the package {packages} adds one of the same name as a built-in one; uninstall it, or rename its own"
            )
        return f"the packages {packages} both add it; uninstall one of them"

    def _load_plugin(self, name: str, plugin: Plugin) -> Found:
        place = f"{self.kind} `{name}` of the package `{plugin.package}`"
        try:
            found = _imported(plugin.value)
        except Exception as error:
            why = next(iter(str(error).strip().splitlines()), "")[:200]
            raise UserError(
                f"{place} cannot be loaded ({type(error).__name__}: {why}); update the package or uninstall it"
            ) from error
        read = self._read(name, found)
        if isinstance(read, str):
            raise UserError(f"{place} cannot be used: `{plugin.value}` {read}; update the package or uninstall it")
        return read


class ObjectTable(Mapping[str, Found]):
    """Objects by name: built-in ones, and those of installed packages that can be used."""

    def __init__(
        self, kind: str, group: str, built_in: Mapping[str, Found], read: Callable[[str, object], "Found | str"]
    ) -> None:
        """Set it up; the arguments are those of `Registry`, but for built-in objects in place of where they are."""
        self._built_in = built_in
        self._plugins = Registry(kind, group, {}, read)

    def __getitem__(self, name: str) -> Found:
        """Return the object of a name; a built-in name stands for the built-in object.

        Raises:
            UserError: when a plugin has that name and cannot be used.

        """
        if name in self._built_in:
            return self._built_in[name]
        if name not in self._plugins:
            raise KeyError(name)
        return self._plugins.load(name)

    def __contains__(self, name: object) -> bool:
        """Return whether something has that name, usable or not."""
        return name in self._built_in or name in self._plugins

    def __iter__(self) -> Iterator[str]:
        """Go through the built-in names, then through those of plugins that can be used."""
        yield from self._built_in
        for name in self._plugins:
            with contextlib.suppress(UserError):
                self._plugins.load(name)
                yield name

    def __len__(self) -> int:
        """Return how many names there are, without plugins that cannot be used."""
        return sum(1 for _ in self)

    def chosen(self, name: str) -> Found:
        """Return the object of a name that a user wrote.

        Raises:
            UserError: also when a plugin has a built-in name.

        """
        if name in self._built_in and name in self._plugins:
            package = self._plugins.package(name)
            raise UserError(
                f"{self._plugins.kind} `{name}`: the package `{package}` adds one of the same name as a built-in one; "
                "uninstall it, or rename its own"
            )
        return self[name]


@functools.cache
def _plugins(group: str, _path: tuple[str, ...]) -> Mapping[str, tuple[Plugin, ...]]:
    """Return what installed packages add to a group, by name; one found twice on the path counts once."""
    found: dict[str, dict[Plugin, None]] = {}
    for point in entry_points(group=group):
        package = f"{point.dist.name} {point.dist.version}" if point.dist else "unknown"
        found.setdefault(point.name, {})[Plugin(value=point.value, package=package)] = None
    return {name: tuple(found[name]) for name in sorted(found)}


def _imported(value: str) -> object:
    module, _, attribute = value.partition(":")
    found: object = importlib.import_module(module)
    for part in filter(None, attribute.split(".")):
        found = getattr(found, part)
    return found


def class_of(base: type[Found]) -> "Callable[[str, object], type[Found] | str]":
    """Return a `read` for `Registry` that takes whole subclasses of a class."""

    def read(_: str, found: object) -> type[Found] | str:
        if not (isinstance(found, type) and issubclass(found, base)):
            return f"is no {base.__module__}.{base.__name__}"
        if inspect.isabstract(found):
            return f"lacks {', '.join(sorted(getattr(found, '__abstractmethods__', ())))}"
        return found

    return read
