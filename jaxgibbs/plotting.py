"""Figures fit for print, as functions of axes: each draws on `ax` (new axes by default) and returns it.

matplotlib is loaded at the first call. `style()` is a context in which new figures have the lines and letters of these.
"""

import contextlib
import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from numpy.typing import ArrayLike

from jaxgibbs import equilibrium, linalg, operators

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from jaxgibbs.diagnostics import BalanceReport
    from jaxgibbs.dynamics import Balance

# Okabe and Ito (2008): distinct for every kind of colour vision.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#AA4499", "#E69F00", "#56B4E9", "#1b1b1b")
INK = "#1b1b1b"
_STYLE: Any = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "legend.frameon": False,
    "lines.linewidth": 1.5,
    "mathtext.default": "regular",
    "figure.constrained_layout.use": True,
    "savefig.dpi": 200,
}


_SYMBOLS = {
    equilibrium.log_partition: r"$\ln\,Z$",
    equilibrium.free_energy: "$F$",
    equilibrium.energy: "$U$",
    equilibrium.entropy: "$S / k_B$",
    equilibrium.heat_capacity: "$C / k_B$",
}


@contextlib.contextmanager
def style() -> Iterator[None]:
    """The style of these figures, for those made within."""
    _needed()
    import matplotlib

    with matplotlib.rc_context(_STYLE):
        yield


def thermodynamics(
    hamiltonian,
    temperatures: ArrayLike,
    quantity: Callable = equilibrium.heat_capacity,
    *,
    ax: "Axes | None" = None,
    **line,
) -> "Axes":
    """A thermodynamic function over temperature.

    Args:
        hamiltonian: as for `gibbs_state`.
        temperatures: shape `(temperatures,)`, in units of energy, none zero.
        quantity: a function of a Hamiltonian and an inverse temperature such as `jaxgibbs.entropy`.
        ax: where to draw.
        line: passed to `ax.plot`.

    Returns:
        The axes.

    Raises:
        ValueError: if a temperature is zero.
    """
    temperatures = np.asarray(temperatures, float)
    if not np.all(temperatures):
        raise ValueError("`temperatures` must not be zero; start the grid above it.")
    values = jax.vmap(lambda beta: quantity(hamiltonian, beta))(1 / temperatures)
    ax = _axes(ax)
    ax.plot(temperatures, np.asarray(values), **line)
    ax.set(xlabel="temperature", ylabel=_SYMBOLS.get(quantity, quantity.__name__.replace("_", " ")))
    ax.margins(x=0)
    return ax


def levels(
    energies: ArrayLike, populations: ArrayLike | None = None, *, ax: "Axes | None" = None, width: float = 0.8
) -> "Axes":
    """A level scheme: a line for each energy, side by side where they are degenerate, in the depth of its population.

    Args:
        energies: shape `(levels,)`.
        populations: of each level; all alike by default.
        ax: where to draw.
        width: of a line; the room of one is 1.
    """
    order = np.argsort(np.asarray(energies))
    energies = np.asarray(energies)[order]
    shares = np.ones(len(energies)) if populations is None else np.asarray(populations)[order]
    depth = 0.15 + 0.85 * shares / max(float(np.max(shares)), 1e-300)
    close = 1e-9 * max(float(np.ptp(energies)), float(np.max(np.abs(energies))), 1e-300)
    ax, group = _axes(ax), np.cumsum(np.append(0, np.diff(energies) > close))
    for number in np.unique(group):
        members = np.flatnonzero(group == number)
        for place, k in enumerate(members):
            middle = place - (len(members) - 1) / 2
            ax.hlines(energies[k], middle - width / 2, middle + width / 2, color=COLORS[0], alpha=float(depth[k]), lw=2)
    ax.set(ylabel="energy", xticks=[])
    ax.spines["bottom"].set_visible(False)
    return ax


def spectral_lines(positions: ArrayLike, weights: ArrayLike, *, ax: "Axes | None" = None, **line) -> "Axes":
    """Lines of a spectrum as sticks.

    Args:
        positions: frequencies, shape `(lines,)`.
        weights: their weights.
        ax: where to draw.
        line: passed to `ax.vlines`.
    """
    ax = _axes(ax)
    options: dict[str, Any] = {"color": COLORS[0], "lw": 1.2} | line
    ax.vlines(np.asarray(positions), 0, np.real(weights), **options)
    ax.axhline(0, color=INK, lw=0.8)
    ax.set(xlabel="frequency", ylabel="weight")
    return ax


def populations(
    state: ArrayLike, hamiltonian, betas: Mapping[str, float] | None = None, *, ax: "Axes | None" = None
) -> "Axes":
    """Populations of the energy levels of a state over energy, beside those of Gibbs states.

    Args:
        state: density matrix, such as `steady_state(...).value`.
        hamiltonian: a matrix or an operator.
        betas: inverse temperatures to compare with, by name.
        ax: where to draw.

    Returns:
        The axes.
    """
    parts = linalg.decompose(operators.as_operator(hamiltonian).to_dense())
    energies, vectors = np.asarray(parts.eigenvalues), np.asarray(parts.eigenvectors)
    shares = np.real(np.einsum("ai,ab,bi->i", vectors.conj(), np.asarray(state), vectors))
    above = energies - energies[0]
    ax = _axes(ax)
    for number, (name, beta) in enumerate((betas or {}).items()):
        weights = np.exp(-beta * above - float(equilibrium.log_partition(np.diag(above), beta)))
        ax.plot(above, weights, color=COLORS[1 + number % (len(COLORS) - 1)], lw=1.2, label=f"Gibbs, {name}")
    ax.plot(above, shares, ls="", marker="o", color=COLORS[0], label="state", zorder=3)
    ax.set(xlabel="energy above the ground level", ylabel="population", yscale="log")
    if betas:
        ax.legend()
    return ax


def currents(
    values: ArrayLike, names: Sequence[str], errors: ArrayLike | None = None, *, ax: "Axes | None" = None
) -> "Axes":
    """A bar for each current, in the order given.

    Args:
        values: currents into the system, shape `(currents,)`, as of `heat_currents`.
        names: of the baths.
        errors: standard errors.
        ax: where to draw.

    Raises:
        ValueError: if there are not as many names as values.
    """
    values = np.asarray(values)
    if values.shape != (len(names),):
        raise ValueError(f"`names` must be as many as the {values.size} values, but are {len(names)}.")
    ax, places = _axes(ax), np.arange(len(names))
    bars = [COLORS[k % len(COLORS)] for k in places]
    ax.bar(places, values, width=0.6, color=bars, yerr=None if errors is None else np.asarray(errors), capsize=3)
    ax.axhline(0, color=INK, lw=0.8)
    ax.set_xticks(places, names)
    ax.set_ylabel("current into the system")
    return ax


def residual_map(report: "BalanceReport", *, ax: "Axes | None" = None) -> "Axes":
    """The residuals of detailed balance of every inner product above the floors that rounding sets them.

    Args:
        report: of `detailed_balance`.
        ax: where to draw.
    """
    names = [str(weight) for weight in ("0", "1/4", "1/2", "1", "BKM")]
    ax, places = _axes(ax), np.arange(len(names))
    floors = np.maximum(np.asarray(report.floors), 1e-18)
    for values, marker, label, color in (
        (report.residuals, "o", "dissipator", COLORS[0]),
        (report.full_residuals, "s", "with the Hamiltonian", COLORS[1]),
    ):
        ax.plot(places, np.maximum(np.asarray(values), 1e-18), ls="", marker=marker, color=color, label=label)
    ax.bar(places, floors, width=0.7, color=INK, alpha=0.15, label="rounding", bottom=1e-18)
    ax.set_xticks(places, [f"$s = {name}$" if name != "BKM" else name for name in names])
    ax.set(yscale="log", ylabel="relative violation of detailed balance", ylim=(1e-18, 10))
    ax.legend()
    return ax


def entropy_production(balance: "Balance", *, ax: "Axes | None" = None) -> "Axes":
    """Rates of entropy production along a trajectory, a line a bath; where they are infinite the line is broken.

    Args:
        balance: of `thermodynamic_balance`.
        ax: where to draw.
    """
    ax = _axes(ax)
    rates = np.asarray(balance.entropy_production_rates)
    rates = np.where(np.isfinite(rates), rates, np.nan)
    for k in range(rates.shape[1]):
        ax.plot(np.asarray(balance.times), rates[:, k], color=COLORS[k % len(COLORS)], label=f"bath {k}")
    ax.axhline(0, color=INK, lw=0.8)
    ax.set(xlabel="time", ylabel=r"entropy production rate / $k_B$")
    if rates.shape[1] > 1:
        ax.legend()
    return ax


def fit(
    abscissa: ArrayLike,
    data: ArrayLike,
    fitted: ArrayLike,
    errors: ArrayLike | None = None,
    *,
    axes: "tuple[Axes, Axes] | None" = None,
    label: str = "fit",
) -> tuple["Axes", "Axes"]:
    """Data with the fitted curve, and the residuals below.

    Args:
        abscissa: where it was measured, shape `(data,)`.
        data: what was measured.
        fitted: the prediction there.
        errors: standard errors; with them the residuals are in units of these.
        axes: two axes, the upper for the curve; new ones by default.
        label: of the curve.

    Returns:
        The two axes.

    Raises:
        ValueError: if the shapes differ.
    """
    x, y, curve = (np.asarray(v, float) for v in (abscissa, data, fitted))
    if not x.shape == y.shape == curve.shape or x.ndim != 1:
        raise ValueError(
            f"`abscissa`, `data` and `fitted` must be alike vectors, but have {x.shape}, {y.shape}, {curve.shape}."
        )
    if axes is None:
        with style():
            import matplotlib.pyplot as plt

            upper, lower = plt.subplots(2, 1, sharex=True, height_ratios=(3, 1), figsize=(6, 5))[1]
    else:
        upper, lower = axes
    bars = None if errors is None else np.asarray(errors, float)
    dots: dict[str, Any] = {"ls": "", "marker": "o", "ms": 3.5, "color": COLORS[1], "elinewidth": 0.9, "capsize": 1.6}
    upper.errorbar(x, y, yerr=bars, label="data", zorder=3, **dots)
    order = np.argsort(x)
    upper.plot(x[order], curve[order], color=COLORS[0], label=label)
    upper.legend()
    scale = 1.0 if bars is None else bars
    lower.axhline(0, color=COLORS[0], lw=1.2)
    lower.errorbar(x, (y - curve) / scale, yerr=None if bars is None else np.ones_like(x), **dots)
    lower.set_ylabel("residual" if bars is None else r"residual / $\sigma$")
    return upper, lower


def _axes(ax: "Axes | None") -> "Axes":
    if ax is not None:
        return ax
    with style():
        import matplotlib.pyplot as plt

        return plt.subplots(figsize=(5.2, 3.6))[1]


def _needed() -> None:
    if importlib.util.find_spec("matplotlib") is None:
        raise ImportError("Figures need matplotlib, which cannot be found; run: pip install 'jaxgibbs[cli]'")
