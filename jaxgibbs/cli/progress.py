"""What a long run is doing: a spinner with its seconds on a terminal, one line a step elsewhere."""

import contextlib
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


@contextlib.contextmanager
def progress(console: Console) -> Iterator[Callable[[str], None]]:
    """Yield a function that announces the next step.

    Args:
        console: usually one on standard error, so that the table on standard output stays clean.
    """
    if not console.is_terminal:
        yield _Lines(console).step
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as display:
        task = display.add_task("", total=None)
        yield lambda words: display.reset(task, description=words, total=None)


class _Lines:
    """Steps as lines, each with the seconds since the start."""

    def __init__(self, console: Console):
        self.console = console
        self.begin = time.monotonic()

    def step(self, words: str) -> None:
        self.console.print(
            f"[{time.monotonic() - self.begin:6.1f} s] {words}", markup=False, highlight=False, soft_wrap=True
        )
