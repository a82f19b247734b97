"""Objects of other libraries, to and from those of this one; each library is imported at the first call that needs it."""

from .qutip import from_qutip as from_qutip
from .qutip import lindbladian_from_qutip as lindbladian_from_qutip
from .qutip import to_qutip as to_qutip
from .qiskit import from_qiskit as from_qiskit
from .qiskit import to_qiskit as to_qiskit
from .openfermion import from_openfermion as from_openfermion
from .openfermion import to_openfermion as to_openfermion
from .pennylane import from_pennylane as from_pennylane
from .pennylane import to_pennylane as to_pennylane
from .scipy import from_scipy as from_scipy
from .scipy import to_scipy as to_scipy
from .dynamiqs import from_dynamiqs as from_dynamiqs
from .dynamiqs import to_dynamiqs as to_dynamiqs
