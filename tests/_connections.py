"""What tests of connection rules share."""

import numpy as np


def pairs(structure):
    """Source and target of each synapse."""
    indices, indptr = (np.asarray(x) for x in structure)
    return np.repeat(np.arange(indptr.size - 1), np.diff(indptr)), indices


def dense(structure, n_post):
    """How often each pair is connected."""
    i, j = pairs(structure)
    matrix = np.zeros((np.asarray(structure[1]).size - 1, n_post), int)
    np.add.at(matrix, (i, j), 1)
    return matrix
