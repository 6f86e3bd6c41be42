"""Cohorts: assessments of one community over time."""

from dataclasses import dataclass, field
from statistics import mean

from wellbeing.scoring import band


@dataclass
class Cohort:
    community_id: str
    scores: list[int] = field(default_factory=list)

    def add(self, value: int) -> None:
        if not 0 <= value <= 100:
            raise ValueError("a score is from 0 to 100")
        self.scores.append(value)

    def average(self) -> float:
        return mean(self.scores) if self.scores else 0.0

    def bands(self) -> dict[str, int]:
        counts = {"low": 0, "moderate": 0, "high": 0}
        for value in self.scores:
            counts[band(value)] += 1
        return counts


def merge(cohorts: list[Cohort]) -> Cohort:
    """One cohort of all scores; they must be of one community."""
    if not cohorts:
        raise ValueError("there is nothing to merge")
    names = {cohort.community_id for cohort in cohorts}
    if len(names) > 1:
        raise ValueError(f"these are different communities: {', '.join(sorted(names))}")
    return Cohort(names.pop(), [value for cohort in cohorts for value in cohort.scores])
