"""Generated kernels: elementwise JAX code as one pass over memory."""

from ._generated import generated as generated, reports as reports
