"""One question a script, with its data, figure and expected answer beside it. `python -m experiments` lists them."""

import os

os.environ.setdefault(
    "OPENBLAS_NUM_THREADS", "1"
)  # before jax: threads that spin on small matrices cost 10 to 100 times
