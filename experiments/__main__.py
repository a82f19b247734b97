"""List the experiments, one line each: how to run it, and the question it answers."""

import ast
import pathlib

HERE = pathlib.Path(__file__).parent


def listing() -> list[tuple[str, str]]:
    """(command, first line of the docstring or title) of every script and problem file, by name."""
    found = []
    for script in sorted(HERE.rglob("*.py")):
        if script.name.startswith("_"):
            continue
        text = script.read_text(encoding="utf-8")
        if 'if __name__ == "__main__"' not in text:
            continue
        module = ".".join(("experiments", *script.relative_to(HERE).with_suffix("").parts))
        summary = (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]
        found.append((f"python -m {module}", summary))
    for problem in sorted(HERE.rglob("problem*.toml")):
        lines = problem.read_text(encoding="utf-8").splitlines()
        title = next((line.partition("=")[2].strip().strip('"') for line in lines if line.startswith("title")), "")
        path = problem.relative_to(HERE.parent).as_posix()
        command = "steady" if 'kind = "open system"' in lines else "fit"
        found.append((f"python -m jaxgibbs {command} {path} --out results/{problem.parent.name}", title))
    return sorted(found)


def main() -> None:
    """Print the list."""
    rows = listing()
    width = max(len(command) for command, _ in rows)
    for command, summary in rows:
        print(f"{command:<{width}}  {summary}")


if __name__ == "__main__":
    main()
