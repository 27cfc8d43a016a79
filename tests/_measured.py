"""Errors against what brainfn did not compute: checked, and kept for the page of parts.

A test calls `measured` for each comparison. It asserts the bound; and where the variable
`BRAINFN_MEASURED` names a file, it appends what was measured to it, from which
`tests/oracle/measured.py` makes the table that `docs/parts.md` shows.
"""

import json
import os

import numpy as np


def measured(part, what, *, against, error, bound, unit=""):
    """Assert that `error` is at most `bound`, and note it.

    - `part`: room and name, such as `"neuron.LIF"`; a list if one comparison covers several.
    - `what`: the quantity compared, such as `"spike times over 1 s"`.
    - `against`: the oracle, such as `"closed form"`, `"SciPy DOP853 at 1e-12"`, `"NEST 3.10"`.
    - `error`: a number, or an array of which the largest magnitude counts.
    - `bound`: the bound, whose cause is written where this is called.
    - `unit`: of the error; `""` for a relative or dimensionless one.
    """
    size = float(np.max(np.abs(np.asarray(error, np.float64)), initial=0.0))
    parts = [part] if isinstance(part, str) else list(part)
    path = os.environ.get("BRAINFN_MEASURED")
    if path:
        test = os.environ.get("PYTEST_CURRENT_TEST", "").split(" ")[0]
        row = {
            "parts": parts,
            "what": what,
            "against": against,
            "error": size,
            "bound": float(bound),
            "unit": unit,
            "test": test.split("/")[-1].split("[")[0],
        }
        with open(path, "a") as file:  # one short write: workers do not tear each other's lines
            file.write(json.dumps(row) + "\n")
    assert size <= bound, f"{parts}: {what} against {against}: {size:.3g} {unit} > {bound:.3g}"
