"""Programs for several CPU devices, each in a process of its own: `python programs.py SECTION ...` prints what it found as JSON.

With `--process K --of N --port P` the devices belong to `N` processes that find each other on this machine. A section is the
name of a function below with its arguments after colons, as in `products:8` or `lanczos:2x4`.
"""

import argparse
import json
import math
import re

import jax
import numpy as np
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

COLLECTIVES = ("all-gather", "all-to-all", "all-reduce", "collective-permute")
SITES = 9
STRINGS = {
    "real": ["X0 Y1 Y8 + X0 X1 X2 X3 + Z0 Z1", "X0 X8 + Z2 X5 - Y2 Y8 + Z7", "X0 + X1 Z0 + X2 Y4 Y7"],
    "complex": ["X0 Y1 Z8 X3", "Y0 + Z1 Y2 X8", "Z0 Z3 + X1 X2"],
    "inside": ["X4 X5 + Z0 Z1", "Z0 X8", "Y7 Y8 + Z2"],
}


def mesh(*shape):
    """The first devices, in a grid with the axes a, b, ..."""
    names = tuple("abc"[: len(shape)])
    devices = jax.devices()[: math.prod(shape)]
    return jax.make_mesh(shape, names, axis_types=(AxisType.Auto,) * len(shape), devices=devices)


def placed(value, sharding):
    """An array of which each process has its part."""
    return jax.make_array_from_callback(value.shape, sharding, lambda index: value[index])


def collectives(text):
    """How many of each kind of exchange a compiled program has, and how many numbers its largest gather brings together."""
    counts = {kind: len(re.findall(rf" {kind}(?:-start)?\(", text)) for kind in COLLECTIVES}
    shapes = [
        shape
        for answer in re.findall(r"= (.*?) (?:all-gather|all-to-all)(?:-start)?\(", text)
        for shape in re.findall(r"\[([\d,]+)\]", answer)
    ]
    sizes = [math.prod(map(int, shape.split(","))) for shape in shapes]
    return counts | {"gathered": max(sizes, default=0)}


def difference(answer, expected):
    """The largest, relative to the largest expected number, over the parts that this process has."""
    parts = [np.max(np.abs(np.asarray(part.data) - expected[part.index])) for part in answer.addressable_shards]
    return float(max(parts) / np.max(np.abs(expected)))


def pauli(name):
    """An operator of `SITES` spins with a coupling for each list of strings."""
    import jaxgibbs as jg

    if name == "ring":
        return jg.models.heisenberg_ring(SITES, 1.0, 0.2)
    terms = jg.operators.PauliTerms.from_strings(SITES, {"theta": STRINGS[name]})
    return jg.operators.PauliSum({"theta": [1.0, -0.3, 0.7]}, terms)


def products(size):
    """`H v` of a vector on this many devices, and the derivative of a form of it in the couplings."""
    size, found = int(size), {}
    sharding = NamedSharding(mesh(size), P("a"))
    rng = np.random.default_rng(0)
    vector = rng.normal(size=2**SITES)
    for name in ("ring", *STRINGS):
        operator = pauli(name)
        dense = np.asarray(operator.to_dense())
        for kind, value in (("real", vector), ("complex", vector + 1j * rng.normal(size=vector.size))):
            given = placed(value, sharding)
            program = jax.jit(lambda operator, vector: operator.matvec(vector)).lower(operator, given).compile()
            answer = program(operator, given)
            found[f"{name}, {kind} vector"] = collectives(program.as_text()) | {
                "flips": len(set((operator.terms.x // (2**SITES // size)).tolist()) - {0}),
                "stays": answer.sharding.is_equivalent_to(sharding, 1),
                "difference": difference(answer, dense @ value),
            }
    return found


def probes(size):
    """Random vectors drawn on this many devices, and on one."""
    from jaxgibbs.linalg import random_phases, random_sphere, unit_vectors

    found, sharding = {}, NamedSharding(mesh(int(size)), P("a"))
    for draw in (random_phases, random_sphere, unit_vectors):
        for dtype in (np.float32, np.complex128):

            def one(index, draw=draw, dtype=dtype):
                return draw(jax.random.key(3), index, 256, dtype)

            program = jax.jit(one, out_shardings=sharding).lower(5).compile()
            expected = np.asarray(jax.jit(one)(5))
            found[f"{draw.__name__} {np.dtype(dtype).name}"] = collectives(program.as_text()) | {
                "difference": difference(program(5), expected),
                "eps": float(np.finfo(dtype).eps),
            }
    return found


LAYOUTS = {"none": ((), ()), "8x1": ((8,), ("a",)), "2x4": ((2, 4), ("a", "b")), "2x1": ((2,), ("a",))} | {
    f"1x{size}": ((size,), (None, "a")) for size in (2, 4, 8)
}


def layout(name):
    """The sharding of probe vectors: groups of devices that share the probes x devices that share a vector."""
    shape, spec = LAYOUTS[name]
    return NamedSharding(mesh(*shape), P(*spec)) if shape else None


def lanczos(name, deflation="0"):
    """ln Z, U, an expectation value, an error and the gradient in the couplings; three probes, which few meshes divide."""
    import jaxgibbs as jg

    sites = 7
    method = jg.Lanczos(probes=3, depth=8, deflation=int(deflation), sharding=layout(name))
    chain = jg.models.heisenberg_chain(sites, np.linspace(0.8, 1.2, sites - 1), 0.2)
    field = jg.models.heisenberg_chain(sites, 0.0, 1.0)

    def ask(chain):
        state = jg.gibbs_state(chain, 1.0, method=method)
        slope = jax.grad(lambda h: jg.log_partition(h, 1.0, method=method))(chain)
        more = (state.expectation(field), state.standard_error.energy) if int(deflation) else ()
        return state.log_partition, state.energy, *more, slope.couplings

    program = jax.jit(ask).lower(chain).compile()
    answer = np.concatenate([np.ravel(x) for x in jax.tree_util.tree_leaves(program(chain))]).tolist()
    return collectives(program.as_text()) | {"answer": answer, "vector": 2**sites}


def couplings(size):
    """ln Z of a chain whose couplings are not all on one device, or in one process."""
    import jaxgibbs as jg

    values = np.linspace(0.5, 1.0, 4)
    shared = placed(values, NamedSharding(mesh(int(size)), P("a")))
    answer, expected = (
        float(jg.log_partition(jg.models.heisenberg_chain(5, given), 1.0)) for given in (shared, values)
    )
    return {"difference": abs(answer - expected)}


def batches(size):
    """Eigenvalues and thermodynamics of 16 matrices on this many devices, however the batch is split."""
    import jaxgibbs as jg

    size = int(size)
    line, grid = mesh(size), mesh(size // 2, 2)
    rng = np.random.default_rng(1)
    matrices = rng.normal(size=(16, 4, 4)) + 1j * rng.normal(size=(16, 4, 4))
    matrices = matrices + np.conj(np.swapaxes(matrices, 1, 2))
    levels = np.linalg.eigvalsh(matrices)
    log_z = np.log(np.sum(np.exp(-0.3 * levels), axis=1))

    def thermal(matrix):
        return jg.log_partition(matrix, 0.3)

    def vectors(matrix):
        values, vectors = jg.linalg.eigh(matrix)
        return jg.linalg.matmul(matrix, vectors) - values[None, :] * vectors + values[None, :]

    cases = {
        "eigenvalues": (jg.linalg.eigvalsh, line, P("a"), levels),
        "eigenvectors": (jax.vmap(vectors), line, P("a"), np.repeat(levels[:, None], 4, axis=1)),
        "over part of a grid": (jg.linalg.eigvalsh, grid, P("b"), levels),
        "over a grid": (jg.linalg.eigvalsh, grid, P(("a", "b")), levels),
        "split matrices": (jg.linalg.eigvalsh, grid, P("a", None, "b"), levels),
        "log Z": (jax.vmap(thermal), line, P("a"), log_z),
        "by shard_map": (
            jax.shard_map(
                lambda m: jax.lax.map(thermal, m, batch_size=2), mesh=line, in_specs=P("a"), out_specs=P("a")
            ),
            line,
            P("a"),
            log_z,
        ),
    }
    found = {}
    for name, (function, over, spec, expected) in cases.items():
        given = placed(matrices, NamedSharding(over, spec))
        program = jax.jit(function).lower(given).compile()
        text = program.as_text()
        found[name] = collectives(text) | {
            "difference": difference(program(given), expected),
            "calls": len(re.findall('custom_call_target="lapack', text)),
        }
    return found


def split_matrices(size):
    """What is said where the compiler cannot tell the axes of a mesh apart, and so cannot put matrices together."""
    from jaxgibbs.linalg import eigvalsh

    with jax.set_mesh(mesh(int(size))):
        program = jax.jit(lambda m: eigvalsh(jax.lax.with_sharding_constraint(m, P(None, "a"))))
        try:
            program.lower(np.zeros((2, 8, 8))).compile()
        except jax.errors.JaxRuntimeError as error:
            return {"complaint": str(error)}
    return {"complaint": ""}


def main() -> None:
    """Run the sections that are asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("sections", nargs="+")
    parser.add_argument("--devices", type=int, default=8)
    parser.add_argument("--process", type=int, default=0)
    parser.add_argument("--of", type=int, default=1)
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_num_cpu_devices", options.devices // options.of)
    if options.of > 1:
        jax.distributed.initialize(f"127.0.0.1:{options.port}", num_processes=options.of, process_id=options.process)
    found = {}
    for section in options.sections:
        name, *arguments = section.split(":")
        found[section] = globals()[name](*arguments)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
