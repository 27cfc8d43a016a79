"""Event-driven sparse operators: JAX primitives with native kernels, differentiable and batched."""

from ._adjoint import Call as Call, with_adjoint as with_adjoint
from ._all_to_all import AllToAll as AllToAll
from ._block import Block as Block, block_matvec as block_matvec
from ._circulant import Circulant as Circulant
from ._compile import (
    CompileError as CompileError,
    Source as Source,
    compiled_target as compiled_target,
)
from ._csr import CSC as CSC, CSR as CSR, ColumnIndex as ColumnIndex
from ._define import define as define
from ._delayed import Delayed as Delayed, delayed_matvec as delayed_matvec
from ._dense import Dense as Dense
from ._derived import with_derivative as with_derivative
from ._eligibility import (
    Eligibility as Eligibility,
    accrue as accrue,
    current as current,
    eligibility as eligibility,
)
from ._fixed import FixedFanin as FixedFanin, FixedFanout as FixedFanout, OneToOne as OneToOne
from ._jit import JIT as JIT
from ._lineax import LinearOperator as LinearOperator
from ._materialize import materialize as materialize
from ._matrix import AbstractMatrix as AbstractMatrix
from ._native import enabled as enabled, kernels as kernels, threads as threads
from ._operator import Operator as Operator
from ._ops import matmat as matmat, matvec as matvec
from ._prim import (
    Native as Native,
    bind_equation as bind_equation,
    define as define_primitive,
    reference_of as reference_of,
    vary_like as vary_like,
)
from ._reordered import Reordered as Reordered, with_columns as with_columns
from ._ring import arrivals as arrivals
from ._split import split_columns as split_columns
from ._transpose import transpose_structure as transpose_structure
from ._update import on_post as on_post, on_pre as on_pre
