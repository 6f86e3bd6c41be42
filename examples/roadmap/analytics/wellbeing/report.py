"""Reports of cohorts as text."""

from wellbeing.cohort import Cohort


def line(cohort: Cohort) -> str:
    return (
        f"{cohort.community_id}: {len(cohort.scores)} assessments, average {cohort.average():.1f}"
    )


def render(cohorts: list[Cohort]) -> str:
    if not cohorts:
        return "no assessments"
    return "\n".join(line(cohort) for cohort in sorted(cohorts, key=lambda one: one.community_id))
