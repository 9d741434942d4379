"""``tensorflow.serving.ModelService``: the state of models, and other models."""

import time
from typing import Any

from service.api.http.request_context import RequestContext
from service.api.routes.admin import check_token
from service.api.routes.models import version_states
from service.errors import InvalidRequestError, ServiceError
from service.grpc.call import Call
from service.grpc.call_handling import CallHandling, parsed
from service.grpc.messages import POOL, message_class
from service.grpc.model_spec import model_in, target_of
from service.repository.errors import RepositoryError
from service.repository.model_server_config import parse_model_configs, text_of_model_configs
from service.repository.model_source import ModelSource
from service.runtime.lifecycle import Lifecycle
from service.runtime.wait_for_workers import wait_for_workers
from service.settings.settings import Settings

MODEL_SERVICE = "tensorflow.serving.ModelService"

_PACKAGE = "tensorflow.serving"
_STATUS = message_class(f"{_PACKAGE}.GetModelStatusRequest")
_STATUS_FOUND = message_class(f"{_PACKAGE}.GetModelStatusResponse")
_RELOAD = message_class(f"{_PACKAGE}.ReloadConfigRequest")
_RELOADED = message_class(f"{_PACKAGE}.ReloadConfigResponse")
_ERROR_CODES = POOL.FindEnumTypeByName("tensorflow.error.Code").values_by_name
_STATES = POOL.FindEnumTypeByName(f"{_PACKAGE}.ModelVersionStatus.State").values_by_name


class ModelService:
    """The service's methods; each gets the request's bytes, and answers the call."""

    def __init__(
        self, calls: CallHandling, lifecycle: Lifecycle, store: ModelSource, settings: Settings
    ) -> None:
        """The service of a worker.

        Args:
            calls: answers calls.
            lifecycle: knows the models.
            store: where they lie.
            settings: the admin token, which a change needs, and the time that it may take.
        """
        self._calls = calls
        self._lifecycle = lifecycle
        self._store = store
        self._settings = settings

    def get_model_status(self, data: bytes, call: Call) -> None:
        """Answer GetModelStatus."""

        def work(request: RequestContext) -> Any:
            message = parsed(lambda: _STATUS.FromString(data))
            target = target_of(message.model_spec)
            self._lifecycle.require(target.model)
            request.model = target.model
            response = _STATUS_FOUND()
            for item in version_states(self._lifecycle, target.model, target.version, target.label):
                status = response.model_version_status.add(version=int(item["version"]))
                status.state = _STATES[item["state"]].number
                status.status.error_code = _ERROR_CODES[item["status"]["error_code"]].number
                status.status.error_message = item["status"]["error_message"]
            return response

        self._calls.ask(call, work, model=model_in(_STATUS, data))

    def handle_reload_config_request(self, data: bytes, call: Call) -> None:
        """Answer HandleReloadConfigRequest, for holders of the admin token.

        As in TensorFlow Serving, the models that are given take the place of all others, and the
        answer comes once they serve. Metrics' increases are not reported.
        """

        def work(request: RequestContext) -> Any:
            check_token(self._settings.admin_token, request.environ.get("HTTP_AUTHORIZATION", ""))
            message = parsed(lambda: _RELOAD.FromString(data))
            self._serve_alone(message.config.SerializeToString())
            return _RELOADED()

        # It asks for the token, not for a key.
        self._calls.ask(call, work, checks_key=False, blocks=True)

    def _serve_alone(self, config: bytes) -> None:
        """Let the models of a ``ModelServerConfig`` serve, and no others.

        Raises:
            InvalidRequestError: it is not valid.
            ServiceError: 412, what serves is decided elsewhere; 409 and 504 as
                ``wait_for_workers``. What is valid stays in force then.
        """
        deadline = time.monotonic() + self._settings.timeout_s
        text = text_of_model_configs(config)
        try:
            listed = parse_model_configs(text, "config")
        except RepositoryError as error:
            raise InvalidRequestError(str(error)) from error
        before = {*self._lifecycle.models(), *self._store.models()}
        try:
            self._store.reconfigure(text)
        except RepositoryError as error:
            raise ServiceError(str(error), status=412) from error
        for model in sorted(before - listed.keys()):
            self._wait(model, deadline, unloaded=True)
        found, ignored = self._store.survey()
        for model in sorted(listed):
            if model not in found:
                reasons = " ".join(item.reason for item in ignored if item.path == model)
                raise ServiceError(f"Model {model!r} was not loaded. {reasons}", status=409)
            self._wait(model, deadline, unloaded=self._store.policy(model).unloaded)

    def _wait(self, model: str, deadline: float, *, unloaded: bool) -> None:
        left_s = max(0.0, deadline - time.monotonic())
        wait_for_workers(
            self._lifecycle,
            model,
            lambda: True,
            unloaded=unloaded,
            timeout_s=left_s,
            decided_by="the configuration",
        )
