"""The command line: `python -m jaxgibbs fit` and `python -m jaxgibbs thermo`. One file a command."""

from .app import run

__all__ = ["run"]
