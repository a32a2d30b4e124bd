"""A recursive filter in numpy alone: exact, streamed, and without a Python step per sample.

A block of outputs is linear in the block's inputs and in the filter's state before it, so all
blocks come from two matrix products once the states are known; and the states follow a recursion
of their own, which doubling solves in log2(blocks) steps (Hillis and Steele, 1986). Importing
scipy.signal for its `sosfilt` would cost every encoder process 0.8 s and 80 MB.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Section = tuple[float, float, float, float, float]
"""b0, b1, b2, a1, a2 of a second-order section, a0 being 1."""

BLOCK = 64
NEGLIGIBLE = 1e-30


class Filter:
    """A cascade of second-order sections over one or more channels; it keeps its state."""

    def __init__(self, sections: Sequence[Section], channels: int) -> None:
        a, b, c, d = _cascade(sections)
        self._powers = np.stack([np.linalg.matrix_power(a, n) for n in range(BLOCK + 1)])
        # The newest input last: it enters the state through no further power of `a`.
        self._drive = np.stack([self._powers[BLOCK - 1 - n] @ b for n in range(BLOCK)])
        self._ring = np.stack([c @ self._powers[n] for n in range(BLOCK)], axis=1)
        answer = np.concatenate(([d], self._powers[: BLOCK - 1] @ b @ c))
        delay = np.arange(BLOCK)[None, :] - np.arange(BLOCK)[:, None]
        self._direct = np.where(delay >= 0, answer[np.maximum(delay, 0)], 0.0)
        self._state = np.zeros((channels, len(a)))

    def __call__(self, samples: npt.NDArray[np.floating]) -> Array:
        """Filter the next samples (n, channels); give as many of the result, (channels, n)."""
        count, channels = samples.shape
        blocks, rest = -(-count // BLOCK), count % BLOCK
        if not blocks:
            return np.empty((channels, 0))
        padded = np.zeros((channels, blocks * BLOCK))
        padded[:, :count] = samples.T
        inputs = padded.reshape(channels, blocks, BLOCK)
        states = self._states(inputs)
        result: Array = inputs @ self._direct + states[:, :-1] @ self._ring
        if rest:
            # The last block is short: from the state before it, by as many samples as it has.
            power = self._powers[rest]
            driven = inputs[:, -1, :rest] @ self._drive[BLOCK - rest :]
            self._state = states[:, -2] @ power.T + driven
        else:
            self._state = states[:, -1]
        return result.reshape(channels, -1)[:, :count]

    def _states(self, inputs: Array) -> Array:
        """Give the state before each block and after the last, (channels, blocks + 1, order)."""
        states = np.concatenate((self._state[:, None], inputs @ self._drive), axis=1)
        step, power = 1, self._powers[BLOCK]
        while step < states.shape[1] and np.abs(power).max() > NEGLIGIBLE:
            states[:, step:] += states[:, :-step] @ power.T
            step, power = 2 * step, power @ power
        return states


def _cascade(sections: Sequence[Section]) -> tuple[Array, Array, Array, float]:
    """Give the state space of the sections behind each other, each in transposed direct form II."""
    a, b, c, d = np.zeros((0, 0)), np.zeros(0), np.zeros(0), 1.0
    for b0, b1, b2, a1, a2 in sections:
        own = np.array([[-a1, 1.0], [-a2, 0.0]])
        enters = np.array([b1 - a1 * b0, b2 - a2 * b0])
        a = np.block([[a, np.zeros((len(a), 2))], [np.outer(enters, c), own]])
        b = np.concatenate((b, enters * d))
        c = np.concatenate((b0 * c, [1.0, 0.0]))
        d *= b0
    return a, b, c, d
