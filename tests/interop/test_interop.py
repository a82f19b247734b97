"""Every conversion on an operator that no reversal of sites leaves as it is, and answers against the other library's own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse

import jaxgibbs as jg
from jaxgibbs import interop
from jaxgibbs.operators import PauliSum, PauliTerms

X, Y, Z, ONE = np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1.0, -1.0]), np.eye(2)
TERMS = PauliTerms.from_strings(3, {"a": "X0", "b": ["2 Z1", "Y0 Z2"]})


def kron(*factors):
    out = np.eye(1)
    for factor in factors:
        out = np.kron(out, factor)
    return out


GOLDEN = kron(X, ONE, ONE) + 2 * kron(ONE, Z, ONE) + 3 * kron(Y, ONE, Z)  # 1.0 X0 + 2.0 Z1 + 3.0 Y0 Z2


def golden():
    return PauliSum({"a": 1.0, "b": jnp.array([1.0, 3.0])}, TERMS)


def reversed_bits(matrix):
    return matrix.reshape((2,) * 6).transpose(2, 1, 0, 5, 4, 3).reshape(8, 8)


def test_golden_is_what_it_says():
    np.testing.assert_array_equal(golden().to_dense(), GOLDEN)


class TestQutip:
    qutip = pytest.importorskip("qutip")

    def test_operators_kets_and_superoperators(self):
        qutip = self.qutip
        qobj = (
            qutip.tensor(qutip.sigmax(), qutip.qeye(2), qutip.qeye(2))
            + 2 * qutip.tensor(qutip.qeye(2), qutip.sigmaz(), qutip.qeye(2))
            + 3 * qutip.tensor(qutip.sigmay(), qutip.qeye(2), qutip.sigmaz())
        )
        np.testing.assert_array_equal(interop.from_qutip(qobj), GOLDEN)
        back = interop.to_qutip(golden(), dims=(2, 2, 2))
        assert back == qobj
        assert back.dims == [[2, 2, 2], [2, 2, 2]]
        ket = qutip.basis(3, 1)
        np.testing.assert_array_equal(interop.from_qutip(ket), [0, 1, 0])
        assert interop.to_qutip(np.array([0, 1.0, 0])) == ket
        assert interop.from_qutip(qutip.sigmax()).dtype == np.float64

    def test_thermal_and_steady_states_are_its_own(self):
        qutip = self.qutip
        rng = np.random.default_rng(0)
        matrix = rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4))
        hamiltonian = qutip.Qobj(matrix + matrix.conj().T)
        thermal = (-0.7 * hamiltonian).expm().unit()
        np.testing.assert_allclose(
            jg.gibbs_state(interop.from_qutip(hamiltonian), 0.7).density_matrix(), thermal.full(), atol=1e-12
        )
        jumps = [np.sqrt(0.3) * qutip.destroy(4), 0.4 * qutip.Qobj(matrix)]
        generator = interop.lindbladian_from_qutip(hamiltonian, jumps)
        np.testing.assert_allclose(
            interop.to_qutip(generator).full(), qutip.liouvillian(hamiltonian, jumps).full(), atol=1e-12
        )
        assert interop.to_qutip(generator).issuper
        np.testing.assert_allclose(
            jg.steady_state(generator).value, qutip.steadystate(hamiltonian, jumps).full(), atol=1e-10
        )

    def test_bad_input(self):
        with pytest.raises(ValueError, match="Qobj"):
            interop.from_qutip(np.eye(2))
        with pytest.raises(ValueError, match="multiply"):
            interop.to_qutip(golden(), dims=(2, 3))
        with pytest.raises(ValueError, match="square"):
            interop.to_qutip(np.ones((2, 3)))


class TestQiskit:
    info = pytest.importorskip("qiskit.quantum_info")

    def test_qubits_stay_with_their_letters(self):
        operator = self.info.SparsePauliOp.from_list([("IIX", 1.0), ("IZI", 2.0), ("ZIY", 3.0)])  # qubit 0 right-most
        np.testing.assert_array_equal(interop.from_qiskit(operator).to_dense(), GOLDEN)
        np.testing.assert_array_equal(reversed_bits(operator.to_matrix()), GOLDEN)
        back = interop.to_qiskit(golden())
        assert back.simplify().equiv(operator)
        np.testing.assert_array_equal(interop.from_qiskit(back).to_dense(), GOLDEN)

    def test_bad_input(self):
        with pytest.raises(ValueError, match="SparsePauliOp"):
            interop.from_qiskit("X")
        with pytest.raises(ValueError, match="real"):
            interop.from_qiskit(self.info.SparsePauliOp.from_list([("X", 1j)]))


class TestOpenFermion:
    openfermion = pytest.importorskip("openfermion")

    def test_qubit_operators(self):
        operator = (
            self.openfermion.QubitOperator("X0")
            + 2 * self.openfermion.QubitOperator("Z1")
            + 3 * self.openfermion.QubitOperator("Y0 Z2")
        )
        np.testing.assert_array_equal(interop.from_openfermion(operator).to_dense(), GOLDEN)
        assert interop.to_openfermion(golden()) == operator
        np.testing.assert_array_equal(self.openfermion.get_sparse_operator(operator, 3).toarray(), GOLDEN)
        assert interop.from_openfermion(operator, sites=4).dim == 16

    def test_fermions_by_jordan_and_wigner(self):
        operator = self.openfermion.FermionOperator("2^ 0", -0.7) + self.openfermion.FermionOperator("0^ 2", -0.7)
        operator += self.openfermion.FermionOperator("1^ 1", 0.4)
        matrix = self.openfermion.get_sparse_operator(operator, 3).toarray()
        np.testing.assert_allclose(interop.from_openfermion(operator).to_dense(), matrix, atol=1e-14)

    def test_bad_input(self):
        with pytest.raises(ValueError, match="QubitOperator"):
            interop.from_openfermion(np.eye(2))
        with pytest.raises(ValueError, match="real"):
            interop.from_openfermion(self.openfermion.FermionOperator("1^ 0"))
        with pytest.raises(ValueError, match="at least 3"):
            interop.from_openfermion(self.openfermion.QubitOperator("X2"), sites=2)
        with pytest.raises(ValueError, match="empty"):
            interop.from_openfermion(self.openfermion.QubitOperator())


class TestPennyLane:
    pennylane = pytest.importorskip("pennylane")

    def test_wires_in_order(self):
        qml = self.pennylane
        operator = qml.PauliX(0) + 2 * qml.PauliZ(1) + 3 * (qml.PauliY(0) @ qml.PauliZ(2))
        np.testing.assert_array_equal(interop.from_pennylane(operator).to_dense(), GOLDEN)
        back = interop.to_pennylane(golden())
        np.testing.assert_allclose(qml.matrix(back, wire_order=[0, 1, 2]), GOLDEN, atol=1e-14)
        named = qml.PauliX("left") + 2 * qml.PauliZ("middle") + 3 * (qml.PauliY("left") @ qml.PauliZ("right"))
        found = interop.from_pennylane(named, wires=["left", "middle", "right"])
        np.testing.assert_array_equal(found.to_dense(), GOLDEN)

    def test_bad_input(self):
        with pytest.raises(ValueError, match="Pauli representation"):
            interop.from_pennylane(np.eye(2))
        with pytest.raises(ValueError, match="missing"):
            interop.from_pennylane(self.pennylane.PauliX(3), wires=[0])


class TestDynamiqs:
    dynamiqs = pytest.importorskip("dynamiqs")

    def test_arrays_both_ways_and_under_a_gradient(self):
        dq = self.dynamiqs
        operator = (
            dq.tensor(dq.sigmax(), dq.eye(2), dq.eye(2))
            + 2 * dq.tensor(dq.eye(2), dq.sigmaz(), dq.eye(2))
            + 3 * dq.tensor(dq.sigmay(), dq.eye(2), dq.sigmaz())
        )
        np.testing.assert_allclose(interop.from_dynamiqs(operator), GOLDEN)
        back = interop.to_dynamiqs(golden(), dims=(2, 2, 2))
        assert back.dims == (2, 2, 2)
        np.testing.assert_allclose(back.to_jax(), GOLDEN)
        slope = jax.grad(lambda g: jg.log_partition(g * interop.from_dynamiqs(dq.sigmaz()).real, 1.0))(0.5)
        np.testing.assert_allclose(slope, np.tanh(0.5), rtol=1e-6)


def test_scipy_both_ways():
    matrix = scipy.sparse.csr_array(GOLDEN)
    operator = interop.from_scipy(matrix)
    np.testing.assert_array_equal(operator.to_dense(), GOLDEN)
    assert float(jg.log_partition(operator, 0.3)) == pytest.approx(float(jg.log_partition(GOLDEN, 0.3)), abs=1e-12)
    for given in (golden(), jg.operators.Dense(GOLDEN)):
        np.testing.assert_array_equal(interop.to_scipy(given).toarray(), GOLDEN)
    with pytest.raises(ValueError, match=r"scipy\.sparse"):
        interop.from_scipy(GOLDEN)
    with pytest.raises(ValueError, match="Hermitian"):
        interop.from_scipy(scipy.sparse.csr_array(np.array([[0, 1.0], [0, 0]])))


def test_only_pauli_sums_with_values_leave():
    pytest.importorskip("qiskit")
    with pytest.raises(ValueError, match="PauliSum"):
        interop.to_qiskit(jg.operators.Dense(GOLDEN))
    with pytest.raises(ValueError, match="traced"):
        jax.jit(lambda a: interop.to_qiskit(PauliSum({"a": a, "b": jnp.ones(2)}, TERMS)).coeffs)(1.0)


def test_a_library_that_is_absent_says_how_to_get_it(monkeypatch):
    from jaxgibbs.interop import _strings

    with pytest.raises(ImportError, match="pip install no_such_library"):
        _strings.needed("no_such_library")
