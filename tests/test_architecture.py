"""The picture of the package, held true: imports point down only, and each rule of the house is checked on the source.

A rule takes a parsed file and yields what breaks it. `test_the_rules_bite` feeds each rule a file that breaks it.
"""

import ast
import pathlib
import subprocess
from collections.abc import Iterator

import pytest

ROOT = pathlib.Path(__file__).parent.parent
PACKAGE = ROOT / "jaxgibbs"

# From the ground up. What stands on one floor does not import its neighbours, save on floors 0 and 7.
FLOORS = (
    ("_types", "_errors", "_later", "_solution", "units", "linalg"),
    ("operators", "information"),
    ("models", "symmetry", "baths"),
    ("equilibrium",),
    ("ensembles", "strong_coupling", "fitting", "open_systems"),
    ("dynamics",),
    ("response", "diagnostics"),
    ("sweeps", "interop", "plotting", "cli", "__main__"),
)
NEIGHBOURS_MAY_MEET = {0, 7}
FLOOR = {area: floor for floor, areas in enumerate(FLOORS) for area in areas}

EDGE_ONLY = {"matplotlib", "typer", "rich"}
DECOMPOSITIONS = {"eigh", "eigvalsh", "eig", "eigvals"}
LONGEST_FILE = 450


def area_of(path: str) -> str:
    """`operators` for jaxgibbs/operators/dense.py, `units` for jaxgibbs/units.py, `` for the contents page."""
    parts = pathlib.PurePath(path).with_suffix("").parts[1:]
    return "" if parts == ("__init__",) else parts[0]


def imported(path: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of everything imported, at any depth, with relative imports made absolute."""
    folder = pathlib.PurePath(path).parent.parts
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = folder[: len(folder) - node.level + 1] if node.level else ()
            module = ".".join((*base, node.module) if node.module else base)
            for alias in node.names:
                yield node.lineno, f"{module}.{alias.name}"


def dotted(node: ast.expr) -> str:
    """`jnp.linalg.eigh` of an attribute chain, "" of anything else."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}".lstrip(".")
    return node.id if isinstance(node, ast.Name) else ""


def points_up(path: str, tree: ast.Module) -> Iterator[str]:
    """Imports of a higher floor, of a neighbour, or of the contents page from below the edges."""
    area = area_of(path)
    if area == "":
        return
    for line, name in imported(path, tree):
        head, _, rest = name.partition(".")
        if head != "jaxgibbs":
            continue
        target = rest.partition(".")[0]
        if target not in FLOOR:
            if FLOOR[area] < 7:
                yield f"{path}:{line} imports the contents page `{name}`; import the module that defines the name"
        elif target == area:
            continue
        elif FLOOR[target] > FLOOR[area]:
            yield f"{path}:{line} `{area}` (floor {FLOOR[area]}) imports `{target}` (floor {FLOOR[target]})"
        elif FLOOR[target] == FLOOR[area] and FLOOR[area] not in NEIGHBOURS_MAY_MEET:
            yield f"{path}:{line} `{area}` imports its neighbour `{target}` on floor {FLOOR[area]}"


def crosses_folders_relatively(path: str, tree: ast.Module) -> Iterator[str]:
    """Imports are absolute between folders and relative inside one."""
    parts = pathlib.PurePath(path).parts
    folder = ".".join(parts[:-1])
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom):
            continue
        if node.level > 1:
            yield f"{path}:{node.lineno} a relative import leaves its folder; write it absolute"
        if node.level == 0 and node.module and len(parts) > 2 and f"{node.module}.".startswith(f"{folder}."):
            yield f"{path}:{node.lineno} an absolute import stays in its folder; write it relative"


def reaches_private_names(path: str, tree: ast.Module) -> Iterator[str]:
    """Only the public interfaces of dependencies, and no postponed annotations beside an `eqx.Module`."""
    for line, name in imported(path, tree):
        if name.startswith(
            ("jax._src", "equinox.internal", "lineax._", "optimistix._", "optax._", "jax.interpreters.xla")
        ):
            yield f"{path}:{line} imports the private `{name}`"
        if name == "__future__.annotations":
            yield f"{path}:{line} postpones annotations, which turns `AbstractVar` into an ordinary field"
        if name.endswith(".*"):
            yield f"{path}:{line} imports a star"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and dotted(node).endswith(("jax._src", "eqx.internal", "equinox.internal")):
            yield f"{path}:{node.lineno} reaches into `{dotted(node)}`"


def sets_jax_config(path: str, tree: ast.Module) -> Iterator[str]:
    """`jax.config` belongs to whoever runs the program; of this package only the command line is one."""
    if area_of(path) in {"cli", "__main__"}:
        return
    for line, name in imported(path, tree):
        if name == "jax.config" or name.startswith("jax.config."):
            yield f"{path}:{line} imports `{name}`"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and dotted(node) == "jax.config":
            yield f"{path}:{node.lineno} touches `jax.config`"


def decomposes_outside_linalg(path: str, tree: ast.Module) -> Iterator[str]:
    """Eigendecompositions go through the one wrapper in `linalg`."""
    if area_of(path) == "linalg":
        return
    for line, name in imported(path, tree):
        if any(name.endswith(f"linalg.{function}") for function in DECOMPOSITIONS) and not name.startswith("jaxgibbs."):
            yield f"{path}:{line} imports `{name}`"
    own = {"linalg"} if any(name == "jaxgibbs.linalg" for _, name in imported(path, tree)) else set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute) or node.attr not in DECOMPOSITIONS:
            continue
        if "linalg" in dotted(node.value) and dotted(node.value) not in own:
            yield f"{path}:{node.lineno} calls `{dotted(node)}`"


def raises_on_the_device(path: str, tree: ast.Module) -> Iterator[str]:
    """`eqx.error_if` can hang on sharded arrays and is slow on a GPU; failures go through `_solution`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and dotted(node) in {"eqx.error_if", "equinox.error_if"}:
            yield f"{path}:{node.lineno} uses `{dotted(node)}`"


def plots_or_prints_below_the_edge(path: str, tree: ast.Module) -> Iterator[str]:
    """Only floor 7 prints, plots or loads the packages for it, so that `import jaxgibbs` stays light."""
    area = area_of(path)
    if area in {"cli", "plotting"}:
        return
    for line, name in imported(path, tree):
        if name.partition(".")[0] in EDGE_ONLY:
            yield f"{path}:{line} imports `{name}`"
    if area == "" or FLOOR[area] < 7:
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and dotted(node.func) == "print":
                yield f"{path}:{node.lineno} prints"


def is_for_first_use(node: ast.stmt) -> bool:
    """Imports for the type checker, the table of names that come later, and what a module may have for such names."""
    if isinstance(node, ast.If):
        return dotted(node.test) == "TYPE_CHECKING" and all(isinstance(item, ast.ImportFrom) for item in node.body)
    if not isinstance(node, ast.Assign):
        return False
    (target,) = node.targets
    if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Call):
        return [dotted(item) for item in target.elts] == ["__getattr__", "__dir__"] and dotted(
            node.value.func
        ) == "_later.at_first_use"
    return dotted(target) == "_LATER" and isinstance(node.value, ast.Dict)


def works_in_a_contents_page(path: str, tree: ast.Module) -> Iterator[str]:
    """An `__init__` holds a docstring, re-exports and `__all__`, nothing that runs; it may say what comes at first use."""
    if not path.endswith("__init__.py"):
        return
    for node in tree.body:
        is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        is_all = isinstance(node, ast.Assign) and [dotted(target) for target in node.targets] == ["__all__"]
        if not (is_docstring or is_all or is_for_first_use(node) or isinstance(node, ast.Import | ast.ImportFrom)):
            yield f"{path}:{node.lineno} does work in a contents page"


RULES = (
    points_up,
    crosses_folders_relatively,
    reaches_private_names,
    sets_jax_config,
    decomposes_outside_linalg,
    raises_on_the_device,
    plots_or_prints_below_the_edge,
    works_in_a_contents_page,
)


def sources() -> dict[str, str]:
    """Text of every Python file of the package by its path from the root."""
    return {path.relative_to(ROOT).as_posix(): path.read_text() for path in sorted(PACKAGE.rglob("*.py"))}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_package_keeps_the_rule(rule):
    broken = [fault for path, text in sources().items() for fault in rule(path, ast.parse(text))]
    assert not broken, "\n".join([rule.__doc__, *broken])


def test_every_area_has_a_floor():
    unknown = sorted({area_of(path) for path in sources()} - set(FLOOR) - {""})
    assert not unknown, f"give {unknown} a floor in FLOORS and in the picture of the package"


def test_what_comes_at_first_use_is_not_hidden_by_a_module_of_its_name():
    # Importing `area/name.py` makes it the attribute `name` of the area, and the function of that name is never looked for.
    for page in PACKAGE.rglob("__init__.py"):
        for node in ast.parse(page.read_text()).body:
            if isinstance(node, ast.Assign) and [dotted(target) for target in node.targets] == ["_LATER"]:
                for name, module in ast.literal_eval(node.value).items():
                    assert name == module or not (page.parent / f"{name}.py").exists(), (
                        f"rename {page.parent}/{name}.py"
                    )


def test_two_levels_never_three():
    deep = [path for path in sources() if len(pathlib.PurePath(path).parts) > 3]
    assert not deep, f"a folder inside a folder: {deep}"


def test_no_room_is_too_long():
    long = {path: lines for path, text in sources().items() if (lines := text.count("\n")) > LONGEST_FILE}
    assert not long, f"split these files by idea: {long}"


def test_every_module_says_what_it_is():
    silent = [path for path, text in sources().items() if not ast.get_docstring(ast.parse(text))]
    assert not silent, f"no module docstring: {silent}"


def test_nothing_generated_is_tracked():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    generated = [
        name for name in listed.stdout.split() if "__pycache__" in name or name.endswith((".pyc", ".egg-info"))
    ]
    assert not generated


@pytest.mark.parametrize(
    ("rule", "path", "text"),
    [
        (points_up, "jaxgibbs/operators/dense.py", "from jaxgibbs.equilibrium import gibbs_state"),
        (points_up, "jaxgibbs/linalg/hermitian.py", "import jaxgibbs.operators.base"),
        (points_up, "jaxgibbs/fitting/model.py", "def f():\n    from jaxgibbs.open_systems.davies import davies"),
        (points_up, "jaxgibbs/models/spins.py", "from jaxgibbs import symmetry"),
        (points_up, "jaxgibbs/models/spins.py", "import jaxgibbs as jg"),
        (points_up, "jaxgibbs/_errors.py", "from .equilibrium import gibbs_state"),
        (crosses_folders_relatively, "jaxgibbs/operators/dense.py", "from ..linalg import hermitian"),
        (crosses_folders_relatively, "jaxgibbs/operators/dense.py", "from jaxgibbs.operators.base import Sum"),
        (reaches_private_names, "jaxgibbs/linalg/hermitian.py", "from jax._src import core"),
        (reaches_private_names, "jaxgibbs/linalg/hermitian.py", "import jax\nx = jax._src.core"),
        (reaches_private_names, "jaxgibbs/linalg/hermitian.py", "import equinox.internal as eqxi"),
        (reaches_private_names, "jaxgibbs/linalg/hermitian.py", "from __future__ import annotations"),
        (reaches_private_names, "jaxgibbs/linalg/hermitian.py", "from jax.numpy import *"),
        (sets_jax_config, "jaxgibbs/linalg/hermitian.py", "import jax\njax.config.update('jax_enable_x64', True)"),
        (sets_jax_config, "jaxgibbs/linalg/hermitian.py", "from jax import config"),
        (decomposes_outside_linalg, "jaxgibbs/models/spins.py", "w = jnp.linalg.eigvalsh(h)"),
        (decomposes_outside_linalg, "jaxgibbs/models/spins.py", "w = jax.lax.linalg.eigh(h)"),
        (decomposes_outside_linalg, "jaxgibbs/models/spins.py", "from numpy.linalg import eigh"),
        (decomposes_outside_linalg, "jaxgibbs/models/spins.py", "from jax.numpy import linalg\nw = linalg.eigh(h)"),
        (raises_on_the_device, "jaxgibbs/models/spins.py", "x = eqx.error_if(x, bad, 'no')"),
        (plots_or_prints_below_the_edge, "jaxgibbs/fitting/model.py", "def f():\n    import matplotlib.pyplot as plt"),
        (plots_or_prints_below_the_edge, "jaxgibbs/__main__.py", "import typer"),
        (plots_or_prints_below_the_edge, "jaxgibbs/models/spins.py", "print('here')"),
        (works_in_a_contents_page, "jaxgibbs/models/__init__.py", "TABLE = {}"),
    ],
)
def test_the_rules_bite(rule, path, text):
    assert list(rule(path, ast.parse(text)))


def test_the_rules_leave_good_files_alone():
    good = "import jax\nfrom jaxgibbs import linalg\nfrom .base import AbstractOperator\nw = linalg.eigh(h)\n"
    assert not [fault for rule in RULES for fault in rule("jaxgibbs/operators/dense.py", ast.parse(good))]
