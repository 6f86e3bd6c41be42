"""Whether a community does better or worse."""

from collections.abc import Sequence


def slope(values: Sequence[float]) -> float:
    """The least-squares slope per step; 0 for fewer than two values."""
    n = len(values)
    if n < 2:
        return 0.0
    middle = (n - 1) / 2
    average = sum(values) / n
    above = sum((at - middle) * (value - average) for at, value in enumerate(values))
    return above / sum((at - middle) ** 2 for at in range(n))


def direction(values: Sequence[float], tolerance: float = 0.5) -> str:
    change = slope(values)
    if abs(change) <= tolerance:
        return "steady"
    return "up" if change > 0 else "down"
