"""One seed in the configuration, one independent generator for each named component and step."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray


def component_rng(seed: int, component: str, *keys: int) -> np.random.Generator:
    """The generator of a component, independent of every other component's.

    The same arguments give the same stream in every process, so a step that is repeated after an
    interruption draws what it drew before; nothing about generators has to be stored.

    Args:
        seed: the session's seed, not negative.
        component: name of the component, such as ``"draw"``.
        keys: further non-negative numbers, such as the step, counted from 1 or 0.
    """
    # As entropy, [7, name] and [7, name, 0] would be the same stream: numpy pads entropy with zeros, but
    # not a spawn key.
    return np.random.Generator(np.random.PCG64(_sequence(seed, component, *keys)))


def _sequence(seed: int, component: str, *keys: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(seed, spawn_key=(zlib.crc32(component.encode()), *keys))


class StepNumbers:
    """One uniform number for each step: the first that ``component_rng(seed, component, step)`` gives.

    A generator that is made to give one number costs as much as several passes over a survey's fields. This
    gives the same number for less: the last words of numpy's seed sequence (O'Neill, Developing a seed_seq
    Alternative, 2015) are mixed for many steps at a time, and only the first output of its PCG-64 (O'Neill,
    HMC-CS-2014-0905) is worked out step by step. numpy keeps both streams stable (NEP 19).

    Args:
        seed: the session's seed, not negative.
        component: name of the component.
    """

    def __init__(self, seed: int, component: str) -> None:
        sequence = _sequence(seed, component)
        self._pool = [int(word) for word in sequence.pool]
        words = max(4, -(-seed.bit_length() // 32)) + 1  # of the seed, padded, and of the component's name
        self._hash = _INIT_A * pow(_MULTIPLIER_A, 4 * words, 1 << 32) & _ONES_32
        self._first_step, self._states = -1, list[list[int]]()

    def __call__(self, step: int) -> float:
        """The number of a step, in [0, 1).

        Args:
            step: 0 to 2**32 - 1.
        """
        first = step - step % _AT_ONCE
        if first != self._first_step:
            self._first_step, self._states = first, self._mixed(np.arange(_AT_ONCE, dtype=np.uint32) + first)
        high, low, stream_high, stream_low = self._states[step - first]
        increment = ((stream_high << 64 | stream_low) << 1 | 1) & _ONES_128
        state = increment + (high << 64 | low)
        for _ in range(2):  # one when it is seeded, one for the number
            state = (state * _PCG_MULTIPLIER + increment) & _ONES_128
        turn, folded = state >> 122, (state >> 64 ^ state) & _ONES_64
        turned = (folded >> turn | folded << (64 - turn)) & _ONES_64
        return (turned >> 11) * 2.0**-53

    def _mixed(self, steps: NDArray[np.uint32]) -> list[list[int]]:
        """For each step four words of 64 bits: the state of a seed sequence that has it as its last key."""
        pool, constant = [], self._hash
        for word in self._pool:
            hashed, constant = _hashed(steps, constant, _MULTIPLIER_A)
            mixed = np.uint32(_MIX_LEFT * word & _ONES_32) - np.uint32(_MIX_RIGHT) * hashed
            pool.append(mixed ^ mixed >> np.uint32(16))
        halves, constant = [], _INIT_B
        for part in (*pool, *pool):
            hashed, constant = _hashed(part, constant, _MULTIPLIER_B)
            halves.append(hashed.astype(np.uint64))
        words = [low | high << np.uint64(32) for low, high in zip(halves[::2], halves[1::2], strict=True)]
        return [list(state) for state in zip(*(word.tolist() for word in words), strict=True)]


def _hashed(words: NDArray[np.uint32], constant: int, multiplier: int) -> tuple[NDArray[np.uint32], int]:
    """Words that are hashed with a constant, and the next constant."""
    following = constant * multiplier & _ONES_32
    mixed = (words ^ np.uint32(constant)) * np.uint32(following)
    return mixed ^ mixed >> np.uint32(16), following


_AT_ONCE = 64
_ONES_32, _ONES_64, _ONES_128 = (1 << 32) - 1, (1 << 64) - 1, (1 << 128) - 1
_INIT_A, _MULTIPLIER_A = 0x43B0D7E5, 0x931E8875
_INIT_B, _MULTIPLIER_B = 0x8B51F9DD, 0x58F38DED
_MIX_LEFT, _MIX_RIGHT = 0xCA01F9DD, 0x4973F715
_PCG_MULTIPLIER = 0x2360ED051FC65DA44385DF649FCCF645
