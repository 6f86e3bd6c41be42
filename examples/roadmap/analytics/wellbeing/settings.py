"""Settings from the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    api_url: str
    batch_size: int = 100
    dry: bool = False


def load(source: Mapping[str, str] | None = None) -> Settings:
    """Raises ValueError that names the variable which is wrong."""
    source = os.environ if source is None else source
    url = source.get("WELLBEING_API_URL", "http://127.0.0.1:3000")
    if not url.startswith(("http://", "https://")):
        raise ValueError("WELLBEING_API_URL must be a URL")
    size = source.get("WELLBEING_BATCH_SIZE", "100")
    if not size.isdigit() or int(size) < 1:
        raise ValueError("WELLBEING_BATCH_SIZE must be a number from 1")
    return Settings(url, int(size), source.get("WELLBEING_DRY") == "1")
