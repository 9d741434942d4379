"""What Triton's clients ask a server besides predictions: traces, logs, shared memory.

These calls report the present state, and change nothing, as their routes over HTTP do.
"""

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from service.api.http.request_context import RequestContext
from service.api.routes.oip_server import (
    TRACE_SETTINGS,
    log_settings,
    refuse_log_settings,
    refuse_region,
    refuse_shared_memory,
    refuse_trace_settings,
)
from service.grpc.call import Call
from service.grpc.call_handling import CallHandling, parsed
from service.grpc.messages import message_class
from service.runtime.lifecycle import Lifecycle
from service.settings.settings import Settings

# By the types of settings: the member of the choice that holds such a value.
_CHOICES: Mapping[type, str] = {bool: "bool_param", int: "uint32_param", str: "string_param"}


class ServerCalls:
    """Methods of the same service; each gets the request's bytes, and answers the call."""

    def __init__(self, calls: CallHandling, lifecycle: Lifecycle, settings: Settings) -> None:
        """The methods of a worker.

        Args:
            calls: answers calls.
            lifecycle: knows the models.
            settings: say what is logged.
        """
        self._calls = calls
        self._lifecycle = lifecycle
        self._settings = settings

    def trace_setting(self, data: bytes, call: Call) -> None:
        """Answer TraceSetting."""

        def work(request: RequestContext, message: Any, response: Any) -> None:
            if message.model_name:
                self._lifecycle.require(message.model_name)
                request.model = message.model_name
            if message.settings:
                refuse_trace_settings()
            for name, value in TRACE_SETTINGS.items():
                values = value if isinstance(value, list) else [value]
                response.settings[name].value.extend(values)

        self._answer("TraceSetting", data, call, work)

    def log_settings(self, data: bytes, call: Call) -> None:
        """Answer LogSettings."""

        def work(_: RequestContext, message: Any, response: Any) -> None:
            if message.settings:
                refuse_log_settings()
            for name, value in log_settings(self._settings).items():
                setattr(response.settings[name], _CHOICES[type(value)], value)

        self._answer("LogSettings", data, call, work)

    def system_shared_memory_status(self, data: bytes, call: Call) -> None:
        """Answer SystemSharedMemoryStatus."""
        self._answer("SystemSharedMemoryStatus", data, call, _regions)

    def system_shared_memory_register(self, data: bytes, call: Call) -> None:
        """Answer SystemSharedMemoryRegister."""
        self._answer("SystemSharedMemoryRegister", data, call, _register)

    def system_shared_memory_unregister(self, data: bytes, call: Call) -> None:
        """Answer SystemSharedMemoryUnregister."""
        self._answer("SystemSharedMemoryUnregister", data, call, _unregister)

    def cuda_shared_memory_status(self, data: bytes, call: Call) -> None:
        """Answer CudaSharedMemoryStatus."""
        self._answer("CudaSharedMemoryStatus", data, call, _regions)

    def cuda_shared_memory_register(self, data: bytes, call: Call) -> None:
        """Answer CudaSharedMemoryRegister."""
        self._answer("CudaSharedMemoryRegister", data, call, _register)

    def cuda_shared_memory_unregister(self, data: bytes, call: Call) -> None:
        """Answer CudaSharedMemoryUnregister."""
        self._answer("CudaSharedMemoryUnregister", data, call, _unregister)

    def _answer(
        self,
        name: str,
        data: bytes,
        call: Call,
        fill: Callable[[RequestContext, Any, Any], None],
    ) -> None:
        def work(request: RequestContext) -> Any:
            message = parsed(lambda: message_class(f"inference.{name}Request").FromString(data))
            response = message_class(f"inference.{name}Response")()
            fill(request, message, response)
            return response

        self._calls.ask(call, work)


def _regions(_: RequestContext, message: Any, response: Any) -> None:
    if message.name:
        refuse_region(message.name)


def _register(_: RequestContext, message: Any, response: Any) -> NoReturn:
    refuse_shared_memory()


def _unregister(_: RequestContext, message: Any, response: Any) -> None:
    """Do nothing: clients do it before they register anything, and so it is already."""
