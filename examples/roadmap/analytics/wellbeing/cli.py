"""The command `wellbeing`: a report of assessments on standard input."""

import argparse
import asyncio
import sys
from collections.abc import Iterable

from wellbeing.cohort import Cohort
from wellbeing.ingest import IngestError, read_all
from wellbeing.report import render


def heading(count: int) -> str:
    """How many communities a report is about."""
    if count < 0:
        raise ValueError("a count is not negative")
    if count == 0:
        return "no communities"
    return "1 community" if count == 1 else f"{count} communities"


async def report(lines: Iterable[str]) -> str:
    cohorts: dict[str, Cohort] = {}
    for row in await read_all(lines):
        name = row["communityId"]
        cohorts.setdefault(name, Cohort(name)).add(row["score"])
    return f"{heading(len(cohorts))}\n{render(list(cohorts.values()))}"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="wellbeing", description=__doc__)
    parser.add_argument("file", nargs="?", type=argparse.FileType("r"), default=sys.stdin)
    options = parser.parse_args(arguments)
    try:
        print(asyncio.run(report(options.file)))
    except IngestError as error:
        print(f"wellbeing: {error}", file=sys.stderr)
        return 1
    return 0
