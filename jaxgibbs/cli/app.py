"""The commands put together, and what they share: float64, one way to fail, exit codes.

Exit codes: 0 for an answer, 1 where a fit has no finite answer or there is no single steady state, 2 for input that cannot be used.
"""

import contextlib
import sys
from collections.abc import Iterator

import jax
import typer

from .complaints import InputError
from .fit import fit
from .steady import steady
from .sweep import sweep
from .thermo import thermo

NO_ANSWER = 1
BAD_INPUT = 2

application = typer.Typer(
    help="Differentiable quantum statistical mechanics: fits, thermodynamics, steady states, sweeps.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
application.command()(fit)
application.command()(steady)
application.command()(sweep)
application.command()(thermo)


@contextlib.contextmanager
def complaints_as_exit_code() -> Iterator[None]:
    """Print an `InputError` as one line on standard error, and leave with code 2."""
    try:
        yield
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(BAD_INPUT) from None


def run(arguments: list[str]) -> int:
    """Run the command line on `arguments` and return its exit code."""
    jax.config.update("jax_enable_x64", True)
    try:
        with complaints_as_exit_code():
            application(arguments, prog_name="jaxgibbs")
    except SystemExit as finished:
        return finished.code if isinstance(finished.code, int) else 0
    return 0
