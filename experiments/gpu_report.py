"""Is every path right on this accelerator, and how far is it from what the machine can do?

Runs each path on the default device and on the CPU, compares the answers, and times the device's: first call (compilation
included), later calls, and the floor, the time that the floating-point operations of the decomposition-free part and the
bytes that must move would take at the rates measured in the same run. A table goes to the terminal, all of it to a JSON file.

Expected: every difference below its tolerance, which is eps times the stated condition of the path; no NaN. On a machine
without an accelerator the CPU is compared with itself by an independent route (NumPy) where there is one. With several devices
the largest power of two of them also share vectors, probes and batches, and what they exchange is counted.
"""

import argparse
import dataclasses
import json
import math
import pathlib
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)
import jaxgibbs as jg  # noqa: E402

from ._device_paths import several_devices  # noqa: E402
from ._matrix_free_paths import matrix_free  # noqa: E402
from ._steady_paths import steady_paths  # noqa: E402


@dataclasses.dataclass
class Path:
    """One path: `call(*inputs)` on the device, its reference on the host, tolerance and operation count."""

    name: str
    call: Callable
    inputs: tuple
    tolerance: float
    reference: Callable | None = None  # of NumPy arrays; the CPU's own answer where `None`
    flops: float = 0.0
    bytes: float = 0.0


def hermitian(rng, dim: int, dtype, batch: tuple[int, ...] = ()) -> np.ndarray:
    """Random Hermitian matrices of unit width, with a threefold degenerate lowest level."""
    shape = (*batch, dim, dim)
    x = rng.standard_normal(shape)
    if np.issubdtype(dtype, np.complexfloating):
        x = x + 1j * rng.standard_normal(shape)
    q, _ = np.linalg.qr(x)
    levels = np.sort(rng.uniform(0, 1, (*batch, dim)), axis=-1)
    levels[..., : min(3, dim)] = 0
    m = (q * levels[..., None, :]) @ np.swapaxes(q.conj(), -1, -2)
    return ((m + np.swapaxes(m.conj(), -1, -2)) / 2).astype(dtype)


def eigen_residual(matrix):
    """`H U - U E` and `U^dagger U - 1`, both zero for a right answer."""
    values, vectors = jg.linalg.eigh(matrix)
    residual = jg.linalg.matmul(matrix, vectors) - vectors * values[..., None, :]
    skew = jg.linalg.matmul(jg.linalg.dagger(vectors), vectors) - jnp.eye(matrix.shape[-1])
    return jnp.stack([jnp.max(jnp.abs(residual)), jnp.max(jnp.abs(skew))])


def paths(quick: bool) -> list[Path]:
    """Every path, at sizes that a laptop does in seconds (`quick`) or that fill a GPU."""
    rng = np.random.default_rng(0)
    found = []
    sizes = (2, 16, 33) if quick else (2, 16, 32, 33, 64, 256, 1024)
    for dtype in (np.float32, np.float64, np.complex64, np.complex128):
        eps = float(np.finfo(dtype).eps)
        label = np.dtype(dtype).name
        for dim in sizes:
            matrix = hermitian(rng, dim, dtype)
            tolerance = 100 * dim * eps
            found.append(
                Path(f"eigh {label} d={dim}", eigen_residual, (matrix,), tolerance, lambda m: np.zeros(2), 9 * dim**3)
            )
            found.append(
                Path(
                    f"eigvalsh {label} d={dim}",
                    jg.linalg.eigvalsh,
                    (matrix,),
                    tolerance,
                    np.linalg.eigvalsh,
                    4 / 3 * dim**3,
                )
            )
        dim, count = 16, 20 if quick else 1000
        batch = hermitian(rng, dim, dtype, (count,))
        found.append(
            Path(f"eigh {label} {count} x d={dim}", eigen_residual, (batch,), 100 * dim * eps, lambda m: np.zeros(2))
        )
    dim = 24 if quick else 512
    for dtype in (np.float64, np.complex128):
        eps, label = float(np.finfo(dtype).eps), np.dtype(dtype).name
        matrix, direction = hermitian(rng, dim, dtype), hermitian(rng, dim, dtype)
        tolerance = 1e4 * eps

        def along(x, matrix=matrix, direction=direction):
            return jg.log_partition(jg.operators.Dense(matrix + x * direction), 3.0)

        def orders(x, along=along):
            slope = jax.grad(along)
            return jnp.stack([along(x), slope(x), jax.grad(slope)(x)])

        found.append(
            Path(f"log Z, gradient, curvature {label} d={dim}", orders, (np.zeros(()),), tolerance, flops=20 * dim**3)
        )
        small_matrix, small = matrix[:12, :12], direction[:12, :12]

        def high(x, m=small_matrix, v=small):
            def f(y):
                return jg.log_partition(jg.operators.Dense(m + y * v), 3.0)

            return jnp.stack([jax.jacfwd(jax.grad(jax.grad(f)))(x), jax.grad(jax.grad(jax.grad(jax.grad(f))))(x)])

        found.append(Path(f"third and fourth derivative {label} d=12", high, (np.zeros(()),), 1e5 * eps))
    sites = 4 if quick else 9
    betas = np.geomspace(0.1, 20, 50)

    def curves(betas):
        chain = jg.models.heisenberg_chain(sites, 1.0, 0.2)
        t = jax.vmap(jg.thermodynamics, (None, 0))(chain, betas)
        return jnp.stack([t.log_partition, t.energy, t.entropy, t.heat_capacity])

    found.append(Path(f"thermodynamics of a chain of {sites}, 50 temperatures", curves, (betas,), 1e-10))

    def couplings(values):
        chain = jg.models.heisenberg_chain(sites, values)
        return jax.grad(jg.log_partition)(chain, 1.0).couplings["coupling"]

    found.append(Path(f"gradient of a chain of {sites}", couplings, (np.ones(sites - 1),), 1e-10))

    def covariance(values):
        state = jg.gibbs_state(jg.models.heisenberg_chain(4, values), 1.0)
        x = jg.models.transverse_ising_chain(4, 0.0, 1.0)
        return state.covariance_matrix((x, jg.models.heisenberg_chain(4)))

    found.append(Path("Kubo-Mori covariance, symmetry broken", covariance, (np.ones(3),), 1e-10))
    count = 20 if quick else 1000
    batch = hermitian(rng, 16, np.complex128, (count,))

    def many(matrices):
        t = jax.vmap(jg.thermodynamics, (0, None))(matrices, 2.0)
        return jnp.stack([t.log_partition, t.entropy, t.heat_capacity])

    found.append(Path(f"thermodynamics of {count} matrices, d=16", many, (batch,), 1e-10))
    energies = np.linspace(0.5, 3, 64)

    def modes(energies):
        return jg.gibbs_state(jg.operators.Bosons(energies), 1.3).populations

    found.append(Path("occupations of 64 bosonic modes", modes, (energies,), 1e-12, lambda e: 1 / np.expm1(1.3 * e)))
    for dtype in (np.float32, np.complex64):
        matrix = hermitian(rng, 24, dtype)

        def single(matrix):
            return jnp.stack([jg.log_partition(matrix, 3.0), jg.entropy(matrix, 3.0)])

        found.append(Path(f"log Z and S {np.dtype(dtype).name} d=24", single, (matrix,), 1e-4))

    def fit(targets):
        pauli = [np.array([[0, 1], [1, 0]], complex), np.array([[0, -1j], [1j, 0]]), np.diag([1.0 + 0j, -1])]
        return jg.fit_multipliers(tuple(jg.operators.Dense(p) for p in pauli), targets).value

    def bloch(q):
        r = np.linalg.norm(q)
        return -np.arctanh(r) / r * q

    found.append(Path("fit of three Pauli charges", fit, (np.array([0.3, -0.2, 0.5]),), 1e-10, bloch))
    return found + matrix_free(quick, Path) + steady_paths(quick, Path) + several_devices(quick, Path)


def machine_rates(quick: bool) -> dict[str, float]:
    """Measured rates of this device: float64 matrix products (flop/s) and copies (byte/s)."""
    dim = 512 if quick else 4096
    a = jnp.ones((dim, dim))
    product = jax.jit(lambda x: jg.linalg.matmul(x, x))
    copy = jax.jit(lambda x: x + 1)
    big = jnp.ones(2**22 if quick else 2**27)
    return {"flops": 2 * dim**3 / timed(product, a)[1], "bytes": 2 * big.nbytes / timed(copy, big)[1]}


def timed(function, *inputs) -> tuple[float, float]:
    """Seconds of the first call and the fastest of the next three."""
    seconds = []
    for _ in range(4):
        start = time.perf_counter()
        jax.block_until_ready(function(*inputs))
        seconds.append(time.perf_counter() - start)
    return seconds[0], min(seconds[1:])


def judge(path: Path, rates: dict[str, float]) -> dict:
    """Run one path; a path that raises is a failed path, not the end of the report."""
    try:
        device = jax.jit(path.call)
        inputs = tuple(jnp.asarray(x) for x in path.inputs)
        first, later = timed(device, *inputs)
        answer = np.asarray(device(*inputs))
        if path.reference is not None:
            expected = np.asarray(path.reference(*path.inputs))
        else:
            with jax.default_device(jax.devices("cpu")[0]):
                expected = np.asarray(jax.jit(path.call)(*(np.asarray(x) for x in path.inputs)))
    except Exception as error:  # the report must go on and name what failed
        return {"name": path.name, "right": False, "failure": f"{type(error).__name__}: {error}".splitlines()[0]}
    difference = float(np.max(np.abs(answer - expected) / np.maximum(1, np.abs(expected))))
    floor = max(path.flops / rates["flops"], path.bytes / rates["bytes"])
    return {
        "name": path.name,
        "right": bool(difference <= path.tolerance) and not math.isnan(difference),
        "difference": difference,
        "tolerance": path.tolerance,
        "first_call_s": first,
        "call_s": later,
        "floor_s": floor,
    }


def main() -> int:
    """Print the table, write the file, and say by the exit code whether all is right."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--quick", action="store_true", help="small sizes; the default on a machine without an accelerator"
    )
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("results/gpu_report.json"))
    options = parser.parse_args()
    device = jax.devices()[0]
    quick = options.quick or device.platform == "cpu"
    rates = machine_rates(quick)
    print(f"{device.device_kind} ({device.platform}), jax {jax.__version__}: ", end="")
    print(f"{rates['flops'] / 1e9:.0f} GF/s float64 products, {rates['bytes'] / 1e9:.0f} GB/s copies\n")
    print(f"{'path':<50}{'verdict':>8}{'difference':>12}{'tolerance':>11}{'first':>9}{'call':>11}{'floor':>11}")
    rows = []
    for path in paths(quick):
        row = judge(path, rates)
        rows.append(row)
        verdict = "right" if row["right"] else "WRONG"
        if "failure" in row:
            print(f"{row['name']:<50}{verdict:>8}  {row['failure'][:90]}")
            continue
        floor = f"{1e3 * row['floor_s']:.3f} ms" if row["floor_s"] else "-"
        print(
            f"{row['name']:<50}{verdict:>8}{row['difference']:>12.1e}{row['tolerance']:>11.0e}"
            f"{row['first_call_s']:>7.2f} s{1e3 * row['call_s']:>8.2f} ms{floor:>11}"
        )
    options.out.parent.mkdir(parents=True, exist_ok=True)
    record = {
        "device": device.device_kind,
        "platform": device.platform,
        "jax": jax.__version__,
        "rates": rates,
        "paths": rows,
    }
    options.out.write_text(json.dumps(record, indent=1))
    wrong = [row["name"] for row in rows if not row["right"]]
    print(f"\n{len(rows) - len(wrong)} of {len(rows)} paths right; written to {options.out}")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
