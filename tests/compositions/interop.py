"""Conversions happen between libraries, outside every transformation."""

CONVERSION = "turns the objects of another library, values and not tracers, into those of this one or back"

TABLE = {}
EXEMPT = {
    f"interop.{name}": CONVERSION
    for name in (
        *(
            f"{way}_{library}"
            for library in ("qutip", "qiskit", "openfermion", "pennylane", "scipy", "dynamiqs")
            for way in ("from", "to")
        ),
        "lindbladian_from_qutip",
    )
}
