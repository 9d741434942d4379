"""What replicas cost beside their computing: requests to the store, rows, scrapes, memory.

Prices and sizes are stated, not looked up: change them to yours.
"""

from dataclasses import dataclass

_DAY_S = 86_400.0
_DAYS_A_MONTH = 30
# What one request lists at most.
_LISTED = 1000


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars for a thousand requests; defaults as S3's standard class in most regions."""

    list_usd: float = 0.005
    get_usd: float = 0.0004


@dataclass(frozen=True, slots=True)
class Store:
    """What lies in a store and how it is looked at.

    Attributes:
        models: how many models.
        versions: of each.
        files: of a version, with its manifest.
        interval_s: seconds between two looks of a replica.
        publications: versions that are published a day, over all models.
    """

    models: int = 100
    versions: int = 3
    files: int = 11
    interval_s: float = 30.0
    publications: float = 100.0

    def lists_a_day(self, replicas: int) -> float:
        """Return how many requests list the store in a day."""
        objects = self.models * self.versions * self.files
        return replicas * -(-objects // _LISTED) * _DAY_S / self.interval_s

    def gets_a_day(self, replicas: int) -> float:
        """Return how many requests fetch objects in a day."""
        return replicas * self.publications * self.files

    def usd_a_month(self, replicas: int, prices: Prices) -> float:
        """Return what both cost in 30 days."""
        lists, gets = self.lists_a_day(replicas), self.gets_a_day(replicas)
        return (lists * prices.list_usd + gets * prices.get_usd) * _DAYS_A_MONTH / 1000


@dataclass(frozen=True, slots=True)
class Service:
    """What one replica does.

    Attributes:
        workers: its worker processes.
        requests_s: requests a second.
        events_rate: the share of requests that is stored.
        series: lines of its ``/metrics``.
        scrape_s: seconds between two scrapes.
        memory_mb: the memory of its processes, shared pages once.
        counts_s: seconds between two writes of a worker's counts while a version is on trial.
        counts_bytes: of those counts.
        connections: to the database, for each worker.
    """

    workers: int = 2
    requests_s: float = 100.0
    events_rate: float = 0.01
    series: int = 1500
    scrape_s: float = 15.0
    memory_mb: float = 740.0
    counts_s: float = 2.0
    counts_bytes: int = 1700
    connections: int = 2
