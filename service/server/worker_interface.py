"""What a connection's protocol needs of the worker that holds it."""

import asyncio
from typing import Protocol

from service.api.http.body_budget import BodyBudget
from service.api.inference.prediction_loop import PredictionLoop
from service.server.open_connections import OpenConnections
from service.server.request_heads import HeadReader


class WorkerInterface(Protocol):
    """A worker, as its connections see it.

    Attributes:
        loop: the event loop that all of its connections share.
        connections: those it holds.
        predictions: answers predictions on the loop.
        heads: reads the heads of predictions.
        budget: bounds the bytes of bodies under way.
        is_draining: whether each answer ends its connection, since the worker is about to stop.
        date: the time, as ``Date`` has it, to the second.
        max_body_bytes: the most bytes of a body.
        read_timeout_s: seconds to send a request in, or to take an answer.
        keep_alive_s: seconds that an idle connection is kept.
    """

    loop: asyncio.AbstractEventLoop
    connections: OpenConnections
    predictions: PredictionLoop
    heads: HeadReader
    budget: BodyBudget
    is_draining: bool
    date: str
    max_body_bytes: int
    read_timeout_s: float
    keep_alive_s: float
