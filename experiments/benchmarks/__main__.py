"""How fast is it? Workloads against named peers in the same run: `python -m experiments.benchmarks [--quick]`.

Medians of interleaved turns of 20 ms or one call, one BLAS thread, compilation apart; each peer is in a process of its own, whose
peak memory is told, and a peer that is not installed is left out. The table goes to the terminal and, with everything measured, to
`--out` as JSON.
"""

import argparse
import json
import math
import pathlib
import platform

from .harness import Row, Timing, race


def contests(quick: bool) -> dict[str, list[Row]]:
    """Workload to rows; the first row is the answer that the others are compared with."""
    table: dict[str, list[Row]] = {}
    for sites in (6,) if quick else (8, 10):
        size = {"sites": sites}
        table[f"ln Z, U, S, C at 200 temperatures, chain of {sites}"] = [
            Row("numpy", "peers:numpy_thermodynamics", size),
            Row("torch", "peers:torch_thermodynamics", size),
            Row("qutip", "peers:qutip_thermodynamics", size),
            Row("jax", "peers:jax_thermodynamics", size),
            Row("jaxgibbs, matrix", "ours:thermodynamics", size | {"blocks": False}),
            Row("jaxgibbs, model", "ours:thermodynamics", size | {"blocks": True}),
        ]
        table[f"gradient in {3 * sites - 2} couplings, chain of {sites}"] = [
            Row("numpy, rule by hand", "peers:numpy_gradient", size),
            Row("torch autograd", "peers:torch_gradient", size),
            Row("jax.grad of eigvalsh", "peers:jax_gradient", size),
            Row("jaxgibbs, matrix", "ours:gradient", size | {"blocks": False}),
            Row("jaxgibbs, model", "ours:gradient", size | {"blocks": True}),
        ]
        if sites > 6:
            table[f"Hessian in 20 couplings, chain of {sites}"] = [
                Row("torch autograd", "peers:torch_hessian", size),
                Row("jax.hessian of eigvalsh", "peers:jax_hessian", size),
                Row("jaxgibbs, matrix", "ours:hessian", size | {"blocks": False}),
                Row("jaxgibbs, model", "ours:hessian", size | {"blocks": True}),
                Row("jaxgibbs, jax.hessian, matrix", "ours:hessian_by_autodiff", size | {"blocks": False}),
                Row("jaxgibbs, jax.hessian, model", "ours:hessian_by_autodiff", size | {"blocks": True}),
            ]
    if not quick:
        table["gradient in 34 couplings, chain of 12"] = [
            Row("torch autograd", "peers:torch_gradient", {"sites": 12}),
            Row("jaxgibbs, model", "ours:gradient", {"sites": 12, "blocks": True}),
        ]
        table["ln Z, U, S, C at 200 temperatures, chain of 12"] = [
            Row("quspin", "peers:quspin_thermodynamics", {"sites": 12}),
            Row("jaxgibbs, model", "ours:thermodynamics", {"sites": 12, "blocks": True}),
        ]
    for dim in (4,) if quick else (4, 16, 64):
        size = {"dim": dim}
        table[f"ln Z and C at 100 temperatures of 1000 complex matrices, d = {dim}"] = [
            Row("numpy", "peers:numpy_batch", size),
            Row("torch", "peers:torch_batch", size),
            Row("jax", "peers:jax_batch", size),
            Row("jaxgibbs, vmap", "ours:batch", size),
            Row("jaxgibbs, on both cores", "ours:batch_on_cores", size),
        ]
    for sites in (12,) if quick else (16, 20):
        size, traffic = {"sites": sites}, 2.0 * 8 * 2**sites  # the vector is read and the product written
        table[f"product of H with a vector, Heisenberg chain of {sites}"] = [
            Row("scipy CSR", "vector_peers:scipy_product", size, traffic),
            Row("quspin", "vector_peers:quspin_product", size, traffic),
            Row("jax BCOO", "vector_peers:jax_product", size, traffic),
            Row("jaxgibbs, prepared", "ours:product", size | {"prepared": True}, traffic),
            Row("jaxgibbs, once", "ours:product", size | {"prepared": False}, traffic),
        ]
    for kind, sites in (("commuting", 6),) if quick else (("commuting", 10), ("noncommuting", 8)):
        size = {"kind": kind, "sites": sites}
        table[f"fit of 8 {kind} charges, dimension {2**sites}"] = [
            Row("scipy hybr", "fit_peers:scipy_fit", size),
            Row("numpy Newton by hand", "fit_peers:numpy_fit", size),
            Row("jaxgibbs", "ours:fit", size | {"compiled": False}),
            Row("jaxgibbs, compiled", "ours:fit", size | {"compiled": True}),
        ]
    for sites in (10,) if quick else (16, 20):
        size = {"sites": sites}
        table[f"finite-temperature Lanczos, 4 probes, depth 50, chain of {sites}"] = [
            Row("scipy CSR Lanczos by hand", "vector_peers:scipy_ftlm", size),
            Row("quspin, table by hand", "vector_peers:quspin_ftlm", size),
            Row("quspin", "vector_peers:quspin_static", size),
            Row("jaxgibbs", "ours:ftlm", size | {"cores": 1}),
            Row("jaxgibbs, on both cores", "ours:ftlm", size | {"cores": 2}),
        ]
        table[f"its gradient in the couplings, chain of {sites}"] = [
            Row("jaxgibbs", "ours:ftlm_gradient", size),
        ]
    return table | steady_contests(quick) | evolution_contests(quick)


def steady_contests(quick: bool) -> dict[str, list[Row]]:
    """Steady states of open systems: against every method of QuTiP, sparse LU and dense elimination; dynamiqs solves for none."""
    table: dict[str, list[Row]] = {}
    cases = [("chain", 3), ("kerr", 12)] if quick else [("chain", 4), ("chain", 5), ("chain", 6), ("boundary", 6)]
    cases += [] if quick else [("kerr", 20), ("kerr", 40), ("kerr", 80)]
    for kind, size in cases:
        model = {"kind": kind, "size": size}
        dim = size if kind == "kerr" else 2**size
        rows = [
            Row("qutip spsolve", "steady_peers:qutip_steady", model | {"method": "direct", "solver": "spsolve"}),
            Row("qutip gmres, ILU", "steady_peers:qutip_steady", model | {"method": "direct", "solver": "gmres"}),
            Row("qutip bicgstab, ILU", "steady_peers:qutip_steady", model | {"method": "direct", "solver": "bicgstab"}),
            Row("qutip power", "steady_peers:qutip_steady", model | {"method": "power"}),
        ]
        if dim <= 20:
            rows.append(Row("qutip eigen", "steady_peers:qutip_steady", model | {"method": "eigen"}))
        if dim <= 32:
            rows.append(
                Row("qutip dense", "steady_peers:qutip_steady", model | {"method": "direct", "solver": "solve"})
            )
            rows.append(Row("numpy dense", "steady_peers:numpy_steady", model))
        rows.append(Row("scipy splu, MMD", "steady_peers:scipy_steady", model))
        rows.append(Row("jaxgibbs", "steady_ours:steady", model | {"method": "auto"}))
        rows.append(Row("jaxgibbs, Krylov", "steady_ours:steady", model | {"method": "krylov"}))
        rows.append(Row("jaxgibbs, one source", "steady_ours:steady", model | {"method": "krylov, one source"}))
        rows.append(Row("jaxgibbs, SparseLU", "steady_ours:steady", model | {"method": "sparse"}))
        table[f"steady state, {kind} of {size}, d = {dim}"] = rows
        table[f"its gradient in 5 parameters, {kind} of {size}, d = {dim}"] = [
            Row("qutip differences", "steady_peers:qutip_steady_gradient", model | {"solver": "spsolve"}),
            Row("qutip gmres differences", "steady_peers:qutip_steady_gradient", model | {"solver": "gmres"}),
            Row("jaxgibbs", "steady_ours:steady_gradient", model | {"method": "auto"}),
            Row("jaxgibbs, Krylov", "steady_ours:steady_gradient", model | {"method": "krylov"}),
        ]
    count = {"count": 10 if quick else 1000}
    table[f"steady states at {count['count']} points, chain of 4"] = [
        Row("qutip loop", "steady_peers:qutip_steady_loop", count),
        Row("jaxgibbs, Dense", "steady_ours:steady_batch", count | {"method": "dense"}),
        Row("jaxgibbs, Krylov", "steady_ours:steady_batch", count | {"method": "krylov"}),
    ]
    return table


def evolution_contests(quick: bool) -> dict[str, list[Row]]:
    """States along time: against QuTiP, dynamiqs, diffrax and SciPy's exponential action."""
    table: dict[str, list[Row]] = {}
    size = {"sites": 3 if quick else 5}
    table[f"damped chain of {size['sites']} to t = 20, 101 times"] = [
        Row("scipy expm_multiply", "evolution_peers:scipy_evolution", size),
        Row("qutip adams", "evolution_peers:qutip_evolution", size | {"method": "adams"}),
        Row("qutip vern9", "evolution_peers:qutip_evolution", size | {"method": "vern9"}),
        Row("dynamiqs dense", "evolution_peers:dynamiqs_evolution", size | {"diagonals": False}),
        Row("dynamiqs dia", "evolution_peers:dynamiqs_evolution", size | {"diagonals": True}),
        Row("diffrax by hand", "evolution_peers:diffrax_evolution", size),
        Row("jaxgibbs", "ours:evolution", size | {"compiled": False}),
        Row("jaxgibbs, compiled", "ours:evolution", size | {"compiled": True}),
    ]
    table[f"its gradient in {2 * size['sites']} rates, damped chain of {size['sites']}"] = [
        Row("jaxgibbs", "ours:evolution_gradient", size),
    ]
    return table


OFF_THE_SHELF = {"numpy", "torch", "qutip", "torch autograd", "scipy hybr", "scipy CSR", "quspin"}
OFF_THE_SHELF |= {
    f"qutip {name}" for name in ("spsolve", "gmres, ILU", "bicgstab, ILU", "power", "eigen", "dense", "loop")
}
OFF_THE_SHELF |= {"qutip differences", "qutip gmres differences"}
OFF_THE_SHELF |= {"scipy expm_multiply", "qutip adams", "qutip vern9", "dynamiqs dense", "dynamiqs dia"}


def ratio(timing: Timing, timings: list[Timing]) -> float:
    """Time over that of the fastest off-the-shelf peer in the same run."""
    peers = [t.median for t in timings if t.name in OFF_THE_SHELF and not math.isnan(t.median)]
    return timing.median / min(peers) if peers else math.nan


def main() -> None:
    """Run the contests and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument("--only", default="", help="run the workloads whose name contains this")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("results/benchmarks.json"))
    options = parser.parse_args()
    record = {"machine": platform.platform(), "python": platform.python_version(), "workloads": {}}
    for name, rows in contests(options.quick).items():
        if options.only not in name:
            continue
        timings = race(rows, options.repeats)
        print(f"\n{name}\n  {'row':<32}{'median':>12}{'ratio':>8}{'first call':>12}{'memory':>10}{'difference':>12}")
        for timing in timings:
            if timing.failure:
                print(f"  {timing.name:<32}not run: {timing.failure}")
                continue
            print(
                f"  {timing.name:<32}{1e3 * timing.median:>9.2f} ms{ratio(timing, timings):>8.2f}"
                f"{timing.first:>10.2f} s{timing.memory / 2**20:>6.0f} MiB{timing.difference:>12.1e}"
                + (f"{timing.bandwidth / 1e9:>8.2f} GB/s" if not math.isnan(timing.bandwidth) else "")
            )
        record["workloads"][name] = [vars(t) | {"ratio": ratio(t, timings)} for t in timings]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(record, indent=1))
    print(f"\nratio: to the fastest off-the-shelf peer of the same run; written to {options.out}")


if __name__ == "__main__":
    main()
