"""`python -m jaxgibbs`: fit and tabulate from the command line."""

import importlib.util
import sys

NEEDED = ("typer", "rich", "matplotlib")


def main() -> int:
    """Run the command line; return its exit code: 0 for an answer, 1 for none, 2 for input that cannot be used."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        needed = f"The command line of jaxgibbs needs {', '.join(NEEDED)}, but {', '.join(missing)} cannot be found"
        print(f"{needed}; run: pip install 'jaxgibbs[cli]'", file=sys.stderr)
        return 2
    from jaxgibbs.cli import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
