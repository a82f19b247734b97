"""How much power does a quantum engine gain, if all its strokes are left to a gradient?

A qubit with H(w) = (w sigma_z + D sigma_x) / 2 in Otto's cycle in finite time: a contact with the cold bath at w_c, a
ramp of the field to w_h, a contact with the hot bath, a ramp back. The terms of H do not commute, so that ramps in
finite time cause friction. A ramp is K steps of the field. All is free within bounds: w_c, w_h, the 2 K steps, 0 <= w
<= 4, and four durations of at least 0.1, with D = 1, contacts of the rate 1 and T_c = 1. Adam, projected on the
bounds, follows the gradient of the power that `jaxgibbs.dynamics.limit_cycle` delivers; the start is set by hand,
with linear ramps. Floors on the efficiency, as a penalty, trade power for it.

Expected: power and efficiency of the start and of the designs are those of a cycle repeated in NumPy until it
settles, within 1e-9, and the gradient that of its finite differences within 1e-6; the design has at least 3 times the
power of the start, and more than each of a set of random designs; it is below Carnot's efficiency, and so is every
step of the ascent that gives power; power falls with each higher floor, which holds within 2e-3. Efficiency at
maximum power, for four hot baths, is below that of Curzon and Ahlborn, 1 - (T_c / T_h)^(1/2), and above half of it.
Curzon's and Ahlborn's own is that of most work of another medium, a slow oscillator in the classical limit, within
0.01: the gradient of `quasi_static_otto` finds its w_c, and an efficiency within 1e-6 of the closed form.

Source: R. Kosloff and Y. Rezek, Entropy 19, 136 (2017); F. L. Curzon and B. Ahlborn, Am. J. Phys. 43, 22 (1975).
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import scipy.linalg
import scipy.optimize

import jaxgibbs as jg
from jaxgibbs.dynamics import ThermalStroke, UnitaryStroke, limit_cycle

from ._report import BLACK, BLUE, GREEN, ORANGE, SKY, VERMILION, Report, panel_letters

SX, SY, SZ = np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([[0.0, -1j], [1j, 0.0]]), np.diag([1.0, -1.0])
GAP, RATE, COLD, HOT = 1.0, 1.0, 1.0, 0.25
PIECES, STEPS, LARGEST, SHORTEST, LONGEST = 6, 600, 4.0, 0.1, 8.0
FLOORS, OTHERS = (0.0, 0.45, 0.55, 0.65), (0.1, 0.4, 0.6)  # beta_h of other machines
CARNOT = 1 - HOT / COLD
LOWEST = np.array([0.0, 0.0, *[SHORTEST] * 4, *[0.0] * 2 * PIECES])
HIGHEST = np.array([LARGEST, LARGEST, *[LONGEST] * 4, *[LARGEST] * 2 * PIECES])
_MIDDLES = (np.arange(PIECES) + 0.5) / PIECES
BY_HAND = np.array([1.0, 3.0, 1.5, 1.5, 3.0, 3.0, *(1 + 2 * _MIDDLES), *(3 - 2 * _MIDDLES)])


def field(w):
    return (w * SZ + GAP * SX) / 2


def contact(w, beta, label):
    """Emission and absorption between the levels of `H(w)`, as a stroke is made of."""
    splitting = jnp.sqrt(w**2 + GAP**2)
    lowering = (w / splitting * SX - GAP / splitting * SZ - 1j * SY) / 2
    n = 1 / jnp.expm1(beta * splitting)
    return jg.Lindbladian(field(w), [lowering, lowering.conj().T], RATE * jnp.stack([n + 1, n]), [label, label])


def ramp(fields, duration):
    """The unitary of steps of equal length."""

    def step(u, w):
        splitting = jnp.sqrt(w**2 + GAP**2)
        angle = splitting * duration / PIECES / 2
        turn = jnp.cos(angle) * jnp.eye(2) - 1j * jnp.sin(angle) / splitting * (w * SZ + GAP * SX)
        return turn @ u, None

    return jax.lax.scan(step, jnp.eye(2) + 0j, fields)[0]


def cycle(design, hot_beta=HOT):
    """The limit cycle of a design: `w_c, w_h`, durations (cold, hot, up, down), and fields of the ramps up and down."""
    low, high, cold, hot, up, down = design[:6]
    first, second = field(low), field(high)
    strokes = [
        ThermalStroke(contact(low, COLD, "cold"), cold),
        UnitaryStroke(first, second, ramp(design[6 : 6 + PIECES], up), up),
        ThermalStroke(contact(high, hot_beta, "hot"), hot),
        UnitaryStroke(second, first, ramp(design[6 + PIECES :], down), down),
    ]
    return limit_cycle(strokes, throw=False).value


def performance(design, hot_beta=HOT):
    """Power delivered, and efficiency."""
    found = cycle(design, hot_beta)
    return -found.power, found.efficiency("hot")


def by_repetition(design, hot_beta=HOT, periods=400):
    """`performance`, in NumPy: written-out superoperators, and periods one after the other."""
    low, high, cold, hot, up, down = design[:6]
    moves = []
    for w, beta, duration in ((low, COLD, cold), (high, hot_beta, hot)):
        levels, vectors = np.linalg.eigh(field(w))
        n = 1 / np.expm1(beta * (levels[1] - levels[0]))
        lower = np.outer(vectors[:, 0], vectors[:, 1])
        one, generator = np.eye(2), -1j * (np.kron(field(w), np.eye(2)) - np.kron(np.eye(2), field(w)))
        for rate, jump in ((RATE * (n + 1), lower), (RATE * n, lower.T)):
            decay = jump.T @ jump / 2
            generator = generator + rate * (np.kron(jump, jump) - np.kron(decay, one) - np.kron(one, decay))
        moves.append(scipy.linalg.expm(duration * generator))
    for values, duration in ((design[6 : 6 + PIECES], up), (design[6 + PIECES :], down)):
        u = np.eye(2)
        for w in values:
            u = scipy.linalg.expm(-1j * duration / PIECES * field(w)) @ u
        moves.append(np.kron(u, u.conj()))
    whole = moves[3] @ moves[1] @ moves[2] @ moves[0]
    rho = np.linalg.matrix_power(whole, periods) @ np.array([0.5, 0, 0, 0.5])
    after_cold = moves[0] @ rho
    before_hot = moves[2] @ after_cold
    heat = (field(high).ravel() @ (moves[1] @ before_hot - before_hot)).real
    waste = (field(low).ravel() @ (after_cold - rho)).real
    return np.array([(heat + waste) / design[2:6].sum(), (heat + waste) / heat])


def ascend(hot_betas, floors, steps):
    """Designs along the way, shape `(steps, machines, parameters)`, with their power and efficiency."""
    optimizer = optax.adam(optax.cosine_decay_schedule(0.06, steps))

    def loss(design, hot_beta, floor):
        power, efficiency = performance(design, hot_beta)
        return -power + 60 * jnp.maximum(floor - efficiency, 0) ** 2, (power, efficiency)

    @jax.jit
    def advance(designs, memory):
        slopes, found = jax.vmap(jax.grad(loss, has_aux=True))(designs, hot_betas, floors)
        update, memory = optimizer.update(slopes, memory)
        return jnp.clip(designs + jnp.asarray(update), LOWEST, HIGHEST), memory, jnp.stack(found, axis=1), slopes

    hot_betas, floors = jnp.asarray(hot_betas), jnp.asarray(floors)
    designs = jnp.tile(BY_HAND, (len(floors), 1))
    memory, way, values, slopes = optimizer.init(designs), [], [], []
    for _ in range(steps):
        way.append(designs)
        designs, memory, found, slope = advance(designs, memory)
        values.append(found)
        slopes.append(slope)
    return np.asarray(way), np.asarray(values), np.asarray(slopes)


def of_oscillator(hot_betas, levels=120, spacing=0.25):
    """Efficiency at most work of a slow oscillator, `beta_h w_h = spacing`: by the gradient, and by search."""
    ladder = jnp.diag(jnp.arange(levels) + 0.5)

    @jax.jit
    @jax.vmap
    def best(hot_beta):
        high = spacing / hot_beta

        def work(low):
            return jg.dynamics.quasi_static_otto(low * ladder, high * ladder, COLD, hot_beta).work

        def halve(_, ends):
            middle = (ends[0] + ends[1]) / 2
            falling = jax.grad(work)(middle) < 0
            return jnp.where(falling, middle, ends[0]), jnp.where(falling, ends[1], middle)

        low, _ = jax.lax.fori_loop(0, 24, halve, (hot_beta * high, high))
        return 1 - low / high

    closed = []
    for hot_beta in hot_betas:
        low, high = hot_beta, 1.0  # in units of `w_h`

        def delivered(x, hot_beta=hot_beta):
            return (1 - x) * (1 / np.expm1(spacing * x / hot_beta) - 1 / np.expm1(spacing))

        found = scipy.optimize.minimize_scalar(delivered, bounds=(low, high), method="bounded", options={"xatol": 1e-9})
        closed.append(1 - found.x)
    return np.asarray(best(jnp.asarray(hot_betas))), np.array(closed)


def main(arguments=None) -> int:
    report = Report(__file__, __doc__, arguments)
    steps = 250 if report.quick else STEPS
    hot_betas, floors = np.array([HOT] * len(FLOORS) + list(OTHERS)), np.array([*FLOORS, *[0.0] * len(OTHERS)])
    designs, values, slopes = ascend(hot_betas, floors, steps)
    start, ends = values[0, 0], values[-1]
    wrong = max(
        np.abs(by_repetition(design, beta) - value).max()
        for design, beta, value in zip((BY_HAND, *designs[-1]), (HOT, *hot_betas), (start, *ends), strict=True)
    )
    report.expect("start and designs: power and efficiency against repeated periods", wrong, below=1e-9)
    step = 1e-5
    middle = designs[steps // 10, 0]
    differences = [
        (by_repetition(middle + e)[0] - by_repetition(middle - e)[0]) / (2 * step) for e in step * np.eye(len(middle))
    ]
    wrong = np.abs(-slopes[steps // 10, 0] - differences).max()
    report.expect(f"gradient in {len(middle)} parameters against finite differences", wrong, below=1e-6)

    report.say(f"set by hand: power {start[0]:.4f}, efficiency {start[1]:.3f}")
    for floor, (power, efficiency), design in zip(FLOORS, ends, designs[-1], strict=False):
        numbers = ", ".join(f"{x:.2f}" for x in design[:6])
        report.say(f"efficiency at least {floor:.2f}: power {power:.4f}, efficiency {efficiency:.3f}; design {numbers}")
    report.hold(
        f"power rises by a factor of at least 3: {ends[0, 0] / start[0]:.1f}", bool(ends[0, 0] > 3 * start[0] > 0)
    )
    rng = np.random.default_rng(1)
    count = 300 if report.quick else 3000
    others = [by_repetition(rng.uniform(LOWEST, HIGHEST))[0] for _ in range(count)]
    report.expect(f"the best of {count} random designs, as a share of its power", max(others) / ends[0, 0], below=0.9)
    engines = values[..., 0] > 0
    excess = np.where(engines, values[..., 1] - (1 - hot_betas / COLD), -1).max()
    report.expect("efficiency above Carnot's, at any step of any ascent", excess, below=0.0)
    with_floors = ends[: len(FLOORS)]
    report.hold("power falls with each higher floor", bool(np.all(np.diff(with_floors[:, 0]) < 0)))
    report.expect("efficiency below its floor", (np.array(FLOORS) - with_floors[:, 1]).max(), below=2e-3)

    free = np.flatnonzero(floors == 0)
    carnot = 1 - hot_betas[free] / COLD
    at_most_power = ends[free, 1]
    shares = at_most_power / (1 - np.sqrt(hot_betas[free] / COLD))
    report.expect("efficiency at maximum power, in units of Curzon-Ahlborn: the highest", shares.max(), below=1.0)
    report.expect("the same: minus the lowest", -shares.min(), below=-0.5)
    for beta, efficiency in zip(hot_betas[free], at_most_power, strict=True):
        report.say(
            f"T_h = {1 / beta:.3g} T_c: {efficiency:.3f} at maximum power, Curzon-Ahlborn {1 - np.sqrt(beta):.3f}"
        )
    oscillator, closed = of_oscillator(hot_betas[free])
    report.expect("oscillator: most work, gradient against closed form", np.abs(oscillator - closed).max(), below=1e-6)
    away = np.abs(oscillator - 1 + np.sqrt(hot_betas[free] / COLD)).max()
    report.expect("oscillator: distance from Curzon-Ahlborn", away, below=0.01)

    with report.figure(9.2, 7.2) as figure:
        _draw(figure, designs, values, (carnot, at_most_power, oscillator))
    return report.conclude()


def course(design):
    """Times and fields of one period, from the cold contact on."""
    low, high, cold, hot, up, down = design[:6]
    pieces = [(cold, low), *[(up / PIECES, w) for w in design[6 : 6 + PIECES]]]
    pieces += [(hot, high), *[(down / PIECES, w) for w in design[6 + PIECES :]]]
    durations, fields = np.array(pieces).T
    return np.concatenate([[0], np.cumsum(durations)]), fields


def _draw(figure, designs, values, at_most_power) -> None:
    (climb, plane), (protocol, efficiency) = figure.subplots(2, 2)
    power, share = values[:, 0].T
    climb.plot(power, color=BLUE)
    climb.set(xlabel="step of the ascent", ylabel="power", ylim=(0, 0.09))
    climb.yaxis.label.set_color(BLUE)
    other = climb.twinx()
    other.spines["right"].set_visible(True)
    other.plot(share, color=VERMILION)
    other.axhline(CARNOT, color=VERMILION, lw=0.9, ls=":")
    other.text(len(power), CARNOT - 0.06, "Carnot", ha="right", va="top", color=VERMILION)
    other.set(ylabel="efficiency", ylim=(0, 0.9))
    other.yaxis.label.set_color(VERMILION)

    for lane, (floor, color) in enumerate(zip(FLOORS, (BLUE, GREEN, ORANGE, VERMILION), strict=True)):
        plane.plot(*values[:, lane, ::-1].T, color=color, lw=1)
        name = f"efficiency at least {floor:.2f}" if floor else "no floor"
        plane.plot(*values[-1, lane, ::-1], "o", color=color, label=name)
    plane.plot(*values[0, 0, ::-1], "s", color=BLACK, label="set by hand")
    plane.axvline(CARNOT, color=BLACK, lw=0.9, ls=":")
    plane.set(xlabel="efficiency", ylabel="power", ylim=(0, None), xlim=(0, 0.8))
    plane.legend(loc="lower left")

    shown = (
        (BY_HAND, BLACK, "set by hand"),
        (designs[-1, 0], BLUE, "no floor"),
        (designs[-1, 2], ORANGE, "at least 0.55"),
    )
    for design, color, name in shown:
        times, fields = course(design)
        protocol.stairs(fields, times, baseline=None, color=color, lw=1.6, label=name)
        for first, last in ((0, 1), (PIECES + 1, PIECES + 2)):
            middle = fields[first], times[first : last + 1]
            protocol.plot(middle[1], [middle[0]] * 2, color=VERMILION if first else SKY, lw=5, alpha=0.7)
    protocol.plot([], [], color=SKY, lw=5, alpha=0.7, label="cold contact")
    protocol.plot([], [], color=VERMILION, lw=5, alpha=0.7, label="hot contact")
    protocol.set(xlabel="time in a period", ylabel="field $w$", xlim=(0, None), ylim=(-0.2, 5.9))
    protocol.legend(loc="upper right", ncols=2)

    carnot, found, oscillator = at_most_power
    line = np.linspace(0, 1, 200)
    efficiency.plot(line, line, color=BLACK, lw=0.9, ls=":", label="Carnot")
    efficiency.plot(line, 1 - np.sqrt(1 - line), color=BLACK, label="Curzon-Ahlborn")
    efficiency.plot(line, line / 2, color=BLACK, lw=0.9, ls="--", label="half of Carnot's")
    efficiency.plot(carnot, found, "o", color=BLUE, label="designs of a qubit")
    efficiency.plot(carnot, oscillator, "s", mfc="none", color=VERMILION, label="slow oscillator")
    efficiency.set(xlabel="$1-T_c/T_h$", ylabel="efficiency at maximum power", xlim=(0, 1), ylim=(0, 1))
    efficiency.legend(loc="upper left")
    panel_letters((climb, plane, protocol, efficiency))


if __name__ == "__main__":
    sys.exit(main())
