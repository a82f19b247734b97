"""Public names of plotting."""

from jaxgibbs import plotting

TABLE = {}

EXEMPT = {
    f"plotting.{name}": "draws"
    for name, item in vars(plotting).items()
    if getattr(item, "__module__", "") == plotting.__name__ and not name.startswith("_")
}
