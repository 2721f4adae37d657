"""The states of an execution, and its turns."""

from swath.flow.execution import HEAD_START, HIGHEST, LOWEST, rank


def test_ranks() -> None:
    """Priority decides; within one, who had less; after the head start all are alike."""
    assert rank(HIGHEST, 1_000_000) < rank(HIGHEST - 1, 0)
    assert rank(5, 0) < rank(5, 1)
    assert rank(5, HEAD_START) == rank(5, 10**7)
    assert 1 <= rank(HIGHEST, 0) <= rank(LOWEST, 10**9) < 2**31
