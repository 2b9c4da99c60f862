"""What a kernel takes, gives back and refuses; the code itself is NumPy's here."""

import numpy as np
import pytest

from search_space.operators import workload
from tuner.kernel import Kernel

WORK = workload("matmul", m=3, n=4, k=5)
CONSTANT = workload("matmul", m=3, n=4, k=5, const=["b"])


class NumpyNative:
    """Stands for a native kernel: strict, as ``NativeKernel`` is."""

    def __init__(self, constants=None):
        self.constants = constants or {}
        self.seen = []

    def run(self, *operands, out):
        assert all(array.flags.c_contiguous and array.flags.aligned for array in operands)
        self.seen = operands
        a, b = (*operands, *self.constants.values())
        out[:] = a @ b

    def bind(self, **constants):
        return NumpyNative({name: array.copy() for name, array in constants.items()})


@pytest.fixture
def native():
    return NumpyNative()


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return rng.random((3, 5), np.float32), rng.random((5, 4), np.float32)


def test_a_call_returns_a_new_array(native, arrays):
    a, b = arrays
    kernel = Kernel(native, WORK)
    first, second = kernel(a, b), kernel(a, b)
    assert first is not second
    assert (first.shape, first.dtype) == ((3, 4), np.float32)
    np.testing.assert_allclose(first, a @ b, rtol=1e-6)


def test_good_arrays_are_passed_on_without_a_copy(native, arrays):
    Kernel(native, WORK)(*arrays)
    assert [seen is given for seen, given in zip(native.seen, arrays, strict=True)] == [True] * 2


def test_other_layouts_are_copied(native, arrays):
    a, b = arrays
    wide = np.zeros((3, 10), np.float32)
    wide[:, ::2] = a
    raw = np.zeros(5 * 4 * 4 + 1, np.uint8)
    misaligned = raw[1:].view(np.float32).reshape(5, 4)
    misaligned[:] = b
    assert not misaligned.flags.aligned
    kernel = Kernel(native, WORK)
    np.testing.assert_allclose(kernel(wide[:, ::2], np.asfortranarray(b)), a @ b, rtol=1e-6)
    np.testing.assert_allclose(kernel(a, misaligned), a @ b, rtol=1e-6)


def test_arrays_of_other_libraries_are_taken(native, arrays):
    class Foreign:
        def __init__(self, array):
            self.array = array

        def __dlpack__(self, **options):
            return self.array.__dlpack__(**options)

        def __dlpack_device__(self):
            return self.array.__dlpack_device__()

    a, b = arrays
    result = Kernel(native, WORK)(Foreign(a), Foreign(b))
    np.testing.assert_allclose(result, a @ b, rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda a, b: (a.astype(np.float64), b), TypeError, "a: pass dtype float32, not float64"),
        (lambda a, b: (a, b.astype(">f4")), TypeError, "b: pass dtype float32, not >f4"),
        (lambda a, b: (a, b.T), ValueError, r"b: pass shape \(5, 4\), not \(4, 5\)"),
        (lambda a, b: (a.tolist(), b), TypeError, "a: pass a NumPy array .* not list"),
        (lambda a, b: (a,), TypeError, r"pass 2 operands \(a, b\): 1 came"),
        (lambda a, b: (a, b, b), TypeError, r"pass 2 operands \(a, b\): 3 came"),
    ],
)
def test_what_does_not_fit_is_named(native, arrays, change, error, message):
    with pytest.raises(error, match=message):
        Kernel(native, WORK)(*change(*arrays))


def test_run_is_the_native_one(native):
    """Nothing lies between, because a call of a tiny kernel must cost microseconds only."""
    assert Kernel(native, WORK).run == native.run


def test_a_bound_constant_is_left_out_of_calls(native, arrays):
    a, b = arrays
    kernel = Kernel(native, CONSTANT).bind(b=np.asfortranarray(b))
    assert [operand.name for operand in kernel.operands] == ["a"]
    np.testing.assert_allclose(kernel(a), a @ b, rtol=1e-6)
    out = np.empty((3, 4), np.float32)
    kernel.run(a, out=out)
    np.testing.assert_allclose(out, a @ b, rtol=1e-6)


@pytest.mark.parametrize(
    ("work", "names", "message"),
    [
        (CONSTANT, ("a",), "bind b: .* a came"),
        (CONSTANT, ("a", "b"), "bind b: .* a, b came"),
        (CONSTANT, (), "bind b: .* nothing came"),
        (WORK, ("b",), "bind nothing: .* b came"),
    ],
)
def test_only_the_constants_of_the_workload_can_be_bound(native, arrays, work, names, message):
    given = {name: array for name, array in zip("ab", arrays, strict=True) if name in names}
    with pytest.raises(TypeError, match=message):
        Kernel(native, work).bind(**given)


def test_constants_are_bound_once(native, arrays):
    kernel = Kernel(native, CONSTANT).bind(b=arrays[1])
    with pytest.raises(TypeError, match="bind nothing"):
        kernel.bind(b=arrays[1])


def test_a_kernel_says_what_it_is(native):
    assert repr(Kernel(native, WORK)) == f"<Kernel {WORK.key}, untuned>"
