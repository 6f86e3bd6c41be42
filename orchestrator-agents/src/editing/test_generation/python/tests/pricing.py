"""Prices."""
import os
import logging
from dataclasses import dataclass, field
from enum import Enum

logger = logging.getLogger(__name__)
FREE_FROM = 50
RATES = {"de": 0.19, "fr": 0.2}

class Tier(Enum):
    BASIC = "basic"
    GOLD = "gold"

class NotFound(Exception):
    pass

class BadInput(ValueError):
    def __init__(self, field, why):
        super().__init__(f"{field}: {why}")
        self.field = field

@dataclass
class Order:
    id: int
    total: float
    tier: Tier = Tier.BASIC
    notes: list[str] = field(default_factory=list)

    def discounted(self) -> float:
        if self.tier is Tier.GOLD:
            return self.total * 0.9
        return self.total

def shipping(total: int, country: str = "de") -> int:
    if total < 0:
        raise ValueError("total must not be negative")
    if country not in RATES:
        raise BadInput("country", f"unknown {country}")
    if total >= FREE_FROM:
        return 0
    return 5

def slug(text: str) -> str:
    return text.strip().lower().replace(" ", "-")

def average(values: list[float]) -> float:
    if not values:
        return 0.0
    return sum(values) / len(values)

def label(tier: Tier, n) -> str:
    return f"{tier.value}:{n:03d}"

class OrderService:
    def __init__(self, repo, mailer):
        self.repo = repo
        self.mailer = mailer
        self.count = 0

    async def find(self, order_id: int):
        order = await self.repo.get(order_id)
        if order is None:
            raise NotFound(f"order {order_id}")
        return order

    def notify(self, order_id: int, text: str) -> bool:
        if not text:
            return False
        self.count += 1
        logger.info("sending %s", text)
        self.mailer.send(order_id, body=text)
        return True

class Settings:
    def __init__(self):
        self.url = os.environ["DATABASE_URL"]
        self.port = int(os.environ.get("PORT", "8000"))
        self.debug = os.getenv("DEBUG", "false").lower() == "true"
        if self.port < 1024:
            raise ValueError("PORT must be 1024 or more")

async def fetch(client, url: str):
    if not url.startswith("https://"):
        raise ValueError("only https")
    response = await client.get(url)
    return response.json()
