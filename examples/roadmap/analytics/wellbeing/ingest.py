"""Assessments from JSON lines, read without holding up what else runs."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable


class IngestError(ValueError):
    """A line that is no assessment."""


def parse_line(line: str) -> dict:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise IngestError(f"not JSON: {error.msg}") from error
    if not isinstance(row, dict) or "communityId" not in row or "score" not in row:
        raise IngestError("an assessment has `communityId` and `score`")
    return row


async def rows(lines: Iterable[str]) -> AsyncIterator[dict]:
    for line in lines:
        if line.strip():
            yield parse_line(line)
        await asyncio.sleep(0)


async def read_all(lines: Iterable[str]) -> list[dict]:
    return [row async for row in rows(lines)]


async def count(lines: Iterable[str]) -> int:
    return len(await read_all(lines))
