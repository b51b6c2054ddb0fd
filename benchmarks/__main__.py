"""``python -m benchmarks NAME [arguments]``: each benchmark is a module with ``main``."""

from __future__ import annotations

import sys
from importlib import import_module

from weaklabel.errors import WeaklabelError, nearest

NAMES = ("votes", "conll2003", "speed", "llm", "review", "scale", "tables", "cluster")


def main(arguments: list[str]) -> int:
    """Run the named benchmark; 2 for a wrong name or bad input."""
    if not arguments or arguments[0] in {"-h", "--help"}:
        print(f"usage: python -m benchmarks {{{','.join(NAMES)}}} [--help]")
        return 0 if arguments else 2
    name, *rest = arguments
    if name not in NAMES:
        print(f"benchmarks: no benchmark {name!r}; {nearest(name, NAMES)}", file=sys.stderr)
        return 2
    try:
        return int(import_module(f"benchmarks.{name}").main(rest))
    except WeaklabelError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
