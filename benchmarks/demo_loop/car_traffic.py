"""Clients who ask about cars, correct some answers, and label the audits that they are handed."""

import csv
import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import requests

from benchmarks.errors import BenchmarkError
from training.data import auto_mpg
from training.data.auto_mpg import CAR_NUMBERS
from training.data.dataset_types import Table

MODEL = "mpg"
_TIMEOUT_S = 60.0
# The most that one answer hands out, and one request takes.
_AT_ONCE = 50
# By how much cars of one kind differ in weight, in pounds.
_LOAD_LB = 60


@dataclass(frozen=True, slots=True)
class Car:
    """A car as a client sends it, and what it truly does.

    Attributes:
        inputs: by name; ``None`` where the horsepower is not known.
        mpg: in miles a gallon.
        name: the car's.
    """

    inputs: dict[str, Any]
    mpg: float
    name: str


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer.

    Attributes:
        at: when it came, in seconds since the clients began.
        version: which version gave it.
        error: by how much it misses, in miles a gallon.
    """

    at: float
    version: int
    error: float


def cars_of(
    table: Table, first: int, last: int, origins: Sequence[str] = auto_mpg.ORIGINS
) -> list[Car]:
    """Return the cars of some model years, 70 to 82, and origins, in the order of the data set."""
    years = table.numbers["model_year"]
    return [
        Car(
            inputs={
                **{name: _known(table.numbers[name][i]) for name in CAR_NUMBERS},
                "origin": str(table.origin[i]),
            },
            mpg=float(table.mpg[i]),
            name=str(table.names[i]),
        )
        for i in np.flatnonzero((years >= first) & (years <= last)).tolist()
        if table.origin[i] in origins
    ]


def with_extremes(cars: Sequence[Car]) -> list[Car]:
    """Return those few cars that have the smallest or the largest of some number.

    A contract rejects what lies beyond the data that a model learned from.
    """
    chosen: dict[int, Car] = {}
    for name in CAR_NUMBERS:
        known = [i for i, car in enumerate(cars) if car.inputs[name] is not None]
        for best in (min, max):
            place = best(known, key=lambda i: cars[i].inputs[name])
            chosen[place] = cars[place]
    return [chosen[place] for place in sorted(chosen)]


def write_cars(path: Path, cars: Sequence[Car]) -> None:
    """Write cars as ``understudy train mpg --data`` takes them.

    Raises:
        OSError: the file cannot be written.
    """
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.DictWriter(file, ["name", "mpg", *CAR_NUMBERS, "origin"])
        rows.writeheader()
        rows.writerows({"name": car.name, "mpg": car.mpg, **car.inputs} for car in cars)


def _known(value: Any) -> float | None:
    return None if math.isnan(value) else float(value)


class CarClients:
    """A thread that asks about cars at a steady rate until it is stopped."""

    def __init__(self, url: str, cars: Sequence[Car], *, rate: float, corrected: float) -> None:
        """Begin to ask.

        Args:
            url: the service's.
            cars: those to ask about, at random; all that version 1 has learned from.
            rate: requests a second.
            corrected: the share of answers that clients correct of their own accord.
        """
        self.cars = cars
        self.answers: list[Answered] = []
        self.failed: list[str] = []
        self.corrected = 0
        self._url = f"{url}/v1/models/{MODEL}"
        self._rate, self._share = rate, corrected
        self._random = np.random.default_rng(1)
        # What the contract of version 1 allows.
        weights = [car.inputs["weight"] for car in cars]
        self._weights = min(weights), max(weights)
        self._asked: dict[str, Car] = {}
        self._began = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="clients", daemon=True)
        self._thread.start()

    @property
    def seconds(self) -> float:
        """For how long they have asked."""
        return time.monotonic() - self._began

    def stop(self) -> None:
        """Ask no more."""
        self._stop.set()
        self._thread.join()

    def label_audits(self, most: int) -> int:
        """Say the truth of up to so many rows that the service hands out; return how many.

        Raises:
            BenchmarkError: the service refuses.
        """
        answer = requests.get(
            f"{self._url}/audits", {"count": min(most, _AT_ONCE)}, timeout=_TIMEOUT_S
        )
        audits = _checked(answer)["audits"]
        self._tell([(audit["id"], self._asked[audit["id"]].mpg) for audit in audits], "audit")
        return len(audits)

    def _run(self) -> None:
        session, told = requests.Session(), list[tuple[str, float]]()
        while not self._stop.wait(1 / self._rate):
            number = len(self._asked)
            car = self._somebodys(self.cars[int(self._random.integers(len(self.cars)))])
            name = f"car-{number:06}"
            self._asked[name] = car
            try:
                self._ask(session, name, car)
            except (OSError, BenchmarkError) as error:
                self.failed.append(str(error))
                continue
            if self._random.random() < self._share:
                told.append((name, car.mpg))
            # Truths come later than answers; by now these are stored.
            if len(told) >= _AT_ONCE:
                self._tell(told, "user")
                self.corrected += len(told)
                told.clear()

    def _somebodys(self, car: Car) -> Car:
        """Return a car with what its owner has in it: no two rows are the same."""
        weight = car.inputs["weight"] + float(self._random.integers(-_LOAD_LB, _LOAD_LB + 1))
        return replace(car, inputs={**car.inputs, "weight": float(np.clip(weight, *self._weights))})

    def _ask(self, session: requests.Session, name: str, car: Car) -> None:
        response = session.post(
            f"{self._url}:predict",
            json={"instances": [car.inputs]},
            headers={"X-Request-Id": name},
            timeout=_TIMEOUT_S,
        )
        (answer,) = _checked(response)["predictions"]
        version = int(response.headers["X-Model-Version"])
        self.answers.append(Answered(self.seconds, version, abs(answer["mpg"] - car.mpg)))

    def _tell(self, truths: Sequence[tuple[str, float]], source: str) -> None:
        if truths:
            items = [{"id": name, "truth": truth, "source": source} for name, truth in truths]
            answer = requests.post(
                f"{self._url}:feedback", json={"feedback": items}, timeout=_TIMEOUT_S
            )
            if answer.status_code != 404:  # Of the last ones, none may be stored yet.
                _checked(answer)


def _checked(response: requests.Response) -> Any:
    if not response.ok:
        raise BenchmarkError(f"{response.url} answered {response.status_code}: {response.text}")
    return response.json()
