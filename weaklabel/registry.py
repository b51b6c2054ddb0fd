"""Names in a job file -> factories. Built-ins register as plugins do, which is why plugins work."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any, Generic, TypeVar

from .errors import JobError, WeaklabelError, nearest

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


class Registry(Generic[T]):
    """Factories by name; ``load`` imports the modules that register the built-ins when needed.

    Third parties add theirs through the entry point group ``weaklabel.<kind>``.
    """

    def __init__(self, kind: str, load: Callable[[], None]) -> None:
        self.kind = kind
        self._load = load
        self._factories: dict[str, Callable[..., T]] = {}
        self._loaded = False

    def register(self, name: str, /) -> Callable[[F], F]:
        """Decorator: make a class or function known under a name."""

        def add(factory: F) -> F:
            self._factories[name] = factory
            return factory

        return add

    def own_names(self) -> tuple[str, ...]:
        """What was registered by a decorator so far; plugins that nobody used are not."""
        self._load_once()
        return tuple(sorted(self._factories))

    def names(self) -> tuple[str, ...]:
        """Every known name, sorted; plugins too."""
        self._load_once()
        plugins = {entry.name for entry in entry_points(group=f"weaklabel.{self.kind}s")}
        return tuple(sorted(plugins | set(self._factories)))

    def factory(self, name: str, /) -> Callable[..., T]:
        """The factory of that name; an unknown name is an error with the nearest known one."""
        self._load_once()
        if name not in self._factories:
            for entry in entry_points(group=f"weaklabel.{self.kind}s", name=name):
                self._factories[name] = entry.load()
        if name not in self._factories:
            raise JobError(f"no {self.kind} {name!r}; {nearest(name, self.names())}")
        return self._factories[name]

    def check(self, name: str, settings: dict[str, Any], /) -> list[tuple[str, str]]:
        """What is wrong with settings before anything is made: (key, message) pairs."""
        parameters = inspect.signature(self.factory(name)).parameters
        if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            return []
        wrong = [
            (key, f"{self.kind} {name!r} has no setting {key!r}; {nearest(key, parameters)}")
            for key in settings
            if key not in parameters
        ]
        return wrong + [
            ("", f"{self.kind} {name!r} needs the setting {key!r}")
            for key, p in parameters.items()
            if p.default is p.empty and p.kind is not p.VAR_POSITIONAL and key not in settings
        ]

    def make(self, name: str, /, **settings: Any) -> T:
        """Call the factory of that name."""
        for _, message in self.check(name, settings):
            raise JobError(message)
        try:
            return self.factory(name)(**settings)
        except (TypeError, ValueError) as error:
            raise JobError(f"{self.kind} {name!r}: {error}") from error
        except WeaklabelError:
            raise

    def _load_once(self) -> None:
        if not self._loaded:
            self._loaded = True
            self._load()
