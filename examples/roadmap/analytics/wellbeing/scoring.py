"""Scores of assessments, as the API computes them."""

from collections.abc import Sequence

MAX_ANSWER = 4


def score(answers: Sequence[int]) -> int:
    """The sum of the answers as a share of what was possible, 0 to 100."""
    if not answers:
        raise ValueError("there are no answers")
    if any(answer < 0 or answer > MAX_ANSWER for answer in answers):
        raise ValueError(f"an answer is from 0 to {MAX_ANSWER}")
    return round(sum(answers) / (len(answers) * MAX_ANSWER) * 100)


def band(value: int) -> str:
    if value >= 70:
        return "high"
    if value >= 40:
        return "moderate"
    return "low"
