"""What every experiment shares: its options, the answers it expects, and the style of its figures."""

import argparse
import contextlib
import pathlib
from collections.abc import Iterator, Sequence

import jax
import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

# Okabe and Ito (2008): distinct for every kind of colour vision.
BLACK, BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY = (
    "#1b1b1b",
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#AA4499",
    "#E69F00",
    "#56B4E9",
)
STYLE = {
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": BLACK,
    "axes.labelcolor": BLACK,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.6,
    "mathtext.default": "regular",
}


class Report:
    """One run of an experiment: where it writes, what it has found, and whether that is what was expected."""

    def __init__(self, script: str, docstring: str | None, arguments: Sequence[str] | None = None):
        """Read the options and switch float64 on.

        Args:
            script: `__file__` of the experiment; its name is that of the default output folder.
            docstring: `__doc__` of the experiment, its help text.
            arguments: command line; that of the process by default.
        """
        name = pathlib.Path(script).stem
        parser = argparse.ArgumentParser(
            prog=f"python -m experiments.{name}",
            description=docstring,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser.add_argument("--quick", action="store_true", help="fewer points, the same checks")
        parser.add_argument(
            "--out", type=pathlib.Path, default=pathlib.Path("results") / name, help="folder for the figure"
        )
        options = parser.parse_args(arguments)
        jax.config.update("jax_enable_x64", True)
        self.quick: bool = options.quick
        self.folder: pathlib.Path = options.out
        self.failures = 0
        self.folder.mkdir(parents=True, exist_ok=True)
        print((docstring or "").partition("\n")[0])

    def say(self, text: str) -> None:
        """Print a number or a remark that is not judged."""
        print(f"         {text}")

    def expect(self, statement: str, value: float, *, below: float | None = None, near: tuple | None = None) -> None:
        """Judge one number and print the verdict.

        Args:
            statement: what is expected, in words.
            value: what was found.
            below: the largest value allowed.
            near: the expected value and the distance from it that is allowed.
        """
        value = float(value)
        if near is not None:
            holds = abs(value - near[0]) <= near[1]
            found, wanted = f"{value:.9g}", f"expected {near[0]:.9g} within {near[1]:.2g}"
        else:
            holds = value <= below
            found, wanted = f"{value:.2g}", f"at most {below:.2g}"
        self.failures += not holds  # NaN compares false and fails
        print(f"{'holds' if holds else 'FAILS':>7}  {statement}: {found} ({wanted})")

    def hold(self, statement: str, holds: bool) -> None:
        """Judge a statement that is true or false."""
        self.failures += not holds
        print(f"{'holds' if holds else 'FAILS':>7}  {statement}")

    @contextlib.contextmanager
    def figure(self, width: float, height: float) -> Iterator[Figure]:
        """Yield an empty figure of this size in inches; it is saved as `figure.png`."""
        with matplotlib.rc_context(STYLE):
            figure = Figure(figsize=(width, height), layout="constrained")
            FigureCanvasAgg(figure)
            yield figure
            path = self.folder / "figure.png"
            figure.savefig(path, dpi=200)
        self.say(f"figure: {path}")

    def conclude(self) -> int:
        """Print the verdict; the exit code, 0 if everything expected was found."""
        print("verdict: as expected" if not self.failures else f"verdict: {self.failures} expectations FAIL")
        return int(self.failures > 0)


def panel_letters(axes) -> None:
    """(a), (b), ... above the upper left corner of each panel."""
    for letter, panel in zip("abcdefgh", axes, strict=False):
        panel.set_title(f"({letter})", loc="left", fontweight="bold")
