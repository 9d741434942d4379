"""What Grafana's dashboard shows: rows of panels, each a title, a unit and its queries."""

from dataclasses import dataclass
from typing import Any

# Of those that belong to a model, and of those that belong to a service.
MODEL = 'instance=~"$instance",model=~"$model"'
_SERVICE = 'instance=~"$instance"'
_RED: list[dict[str, Any]] = [{"color": "green", "value": None}, {"color": "red", "value": 1}]
_RED_AT_0: list[dict[str, Any]] = [{"color": "red", "value": None}, {"color": "green", "value": 1}]
_RATE = "[$__rate_interval]"


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel.

    Attributes:
        title: what it shows.
        queries: PromQL and the legend of its series, which may name labels in ``{{}}``.
        unit: Grafana's name of the unit.
        kind: ``timeseries`` or ``stat``.
        about: what to read from it, in a sentence.
        colours: thresholds of a ``stat``.
    """

    title: str
    queries: tuple[tuple[str, str], ...]
    unit: str = "short"
    kind: str = "timeseries"
    about: str = ""
    colours: tuple[dict[str, Any], ...] = ({"color": "text", "value": None},)


def _stat(title: str, query: str, colours: list[dict[str, Any]], about: str = "") -> Panel:
    return Panel(title, ((query, ""),), kind="stat", about=about, colours=tuple(colours))


def _per_second(metric: str, labels: str, by: str) -> str:
    return f"sum by ({by}) (rate({metric}{{{labels}}}{_RATE}))"


def _mean(metric: str, by: str) -> str:
    total, count = (_per_second(f"{metric}_{part}", MODEL, by) for part in ("sum", "count"))
    return f"{total} / {count}"


def _quantile(of: float) -> str:
    buckets = _per_second("understudy_request_seconds_bucket", MODEL, "model, le")
    return f"histogram_quantile({of}, {buckets})"


_REQUESTS = "understudy_requests_total"
_FAILED = f'{MODEL},status=~"5.."'

ROWS: tuple[tuple[str, tuple[Panel, ...]], ...] = (
    (
        "At a glance",
        (
            _stat(
                "Alerts",
                'count(ALERTS{alertname=~"Understudy.*",alertstate="firing"}) or vector(0)',
                _RED,
            ),
            _stat(
                "Models without a version",
                f"sum(understudy_model_unavailable{{{MODEL}}})",
                _RED,
                "Models that should answer and do not, in some worker.",
            ),
            _stat("Refused versions", f"sum(understudy_refused_versions{{{MODEL}}})", _RED),
            _stat("Workers ready", f"sum(understudy_workers_ready{{{_SERVICE}}})", _RED_AT_0),
            _stat(
                "Restarts in 24 h",
                f"sum(increase(understudy_worker_restarts_total{{{_SERVICE}}}[24h]))",
                _RED,
            ),
            _stat("Metrics missing", f"sum(understudy_metrics_missing{{{_SERVICE}}})", _RED),
        ),
    ),
    (
        "What clients notice",
        (
            Panel(
                "Requests by status",
                ((_per_second(_REQUESTS, MODEL, "model, status"), "{{model}} {{status}}"),),
                "reqps",
            ),
            Panel(
                "Share that failed",
                (
                    (
                        f"{_per_second(_REQUESTS, _FAILED, 'model')}"
                        f" / {_per_second(_REQUESTS, MODEL, 'model')}",
                        "{{model}}",
                    ),
                ),
                "percentunit",
                about="Status 500 and above, 503 included.",
            ),
            Panel(
                "Time of a prediction",
                ((_quantile(0.5), "{{model}} p50"), (_quantile(0.99), "{{model}} p99")),
                "s",
            ),
            Panel(
                "Instances by signature",
                (
                    (
                        _per_second("understudy_predictions_total", MODEL, "model, signature"),
                        "{{model}} {{signature}}",
                    ),
                ),
                "ops",
            ),
        ),
    ),
    (
        "Where the time goes",
        (
            Panel(
                "Mean time of a phase",
                (
                    (
                        _mean("understudy_phase_seconds", "model, phase"),
                        "{{model}} {{phase}}",
                    ),
                ),
                "s",
                about="wait: for the batch before. Much of it means too little capacity.",
            ),
            Panel(
                "Batches by rows",
                (
                    (
                        _per_second("understudy_batch_seconds_count", MODEL, "model, rows"),
                        "{{model}} {{rows}}",
                    ),
                ),
                "ops",
            ),
            Panel(
                "Under way",
                (
                    (f"sum(understudy_requests_in_flight{{{_SERVICE}}})", "requests"),
                    (f"sum(understudy_connections{{{_SERVICE}}})", "connections"),
                    (f"sum(understudy_stuck_predictions{{{MODEL}}})", "stuck predictions"),
                ),
            ),
            Panel(
                "Refused because the queue is full",
                (
                    (
                        _per_second("understudy_queue_rejections_total", MODEL, "model"),
                        "{{model}}",
                    ),
                ),
                "reqps",
            ),
        ),
    ),
    (
        "Versions",
        (
            Panel(
                "Version that answers",
                (
                    (
                        f"max by (model, instance) (understudy_live_version{{{MODEL}}})",
                        "{{model}} {{instance}}",
                    ),
                ),
                "none",
            ),
            Panel(
                "Version by worker",
                (
                    (
                        f"understudy_worker_live_version{{{MODEL}}}",
                        "{{model}} {{instance}} {{worker}}",
                    ),
                ),
                "none",
                about="Lines of one service lie on each other, except during a swap.",
            ),
            Panel(
                "Swaps and refusals in an hour",
                (
                    (
                        f"sum by (model, result) (increase(understudy_swaps_total{{{MODEL}}}[1h]))",
                        "{{model}} {{result}}",
                    ),
                ),
            ),
            Panel(
                "Mean time to load",
                (
                    (
                        _mean("understudy_load_seconds", "model, phase"),
                        "{{model}} {{phase}}",
                    ),
                ),
                "s",
            ),
        ),
    ),
    (
        "Workers",
        (
            Panel(
                "CPU",
                (
                    (
                        f'rate(process_cpu_seconds_total{{{_SERVICE},worker!=""}}{_RATE})',
                        "{{instance}} {{worker}}",
                    ),
                ),
                "none",
                about="1 is a whole core.",
            ),
            Panel(
                "Resident memory",
                (
                    (
                        f'process_resident_memory_bytes{{{_SERVICE},worker!=""}}',
                        "{{instance}} {{worker}}",
                    ),
                ),
                "bytes",
                about="Pages that workers share count for each.",
            ),
            Panel(
                "Open files and threads",
                (
                    (
                        f'process_open_fds{{{_SERVICE},worker!=""}}',
                        "{{instance}} {{worker}} files",
                    ),
                    (
                        f'process_threads{{{_SERVICE},worker!=""}}',
                        "{{instance}} {{worker}} threads",
                    ),
                ),
            ),
            Panel(
                "Garbage collections",
                (
                    (
                        _per_second(
                            "python_gc_collections_total",
                            f'{_SERVICE},worker!=""',
                            "generation",
                        ),
                        "generation {{generation}}",
                    ),
                ),
                "ops",
            ),
        ),
    ),
    (
        "Drift",
        (
            Panel(
                "Evidence of drift",
                ((f"understudy_drift_evidence{{{MODEL}}}", "{{model}} {{version}}"),),
                about="There is an alarm from 1,000,000 on.",
            ),
            Panel(
                "Distance from the reference",
                ((f"understudy_drift_distance{{{MODEL}}}", "{{model}} {{version}} {{field}}"),),
                about="Jensen-Shannon distance of the last rows, from 0 to 1.",
            ),
            Panel(
                "Expected accuracy",
                (
                    (
                        _per_second("understudy_expected_right_total", MODEL, "model, version")
                        + " / on (model, version) "
                        + "max by (model, version) ("
                        + _per_second(
                            "understudy_field_rows_total",
                            f'{MODEL},field=~"outputs[.].*"',
                            "model, version, field",
                        )
                        + ")",
                        "{{model}} {{version}}",
                    ),
                ),
                "percentunit",
                about="If the probabilities are right; blind to changed meanings.",
            ),
        ),
    ),
    (
        "Retraining",
        (
            Panel(
                "Since the last retraining",
                (
                    (
                        'time() - understudy_retrain_end_timestamp_seconds{model=~"$model"}',
                        "{{model}}",
                    ),
                ),
                "s",
            ),
            Panel(
                "Outcome of the last retraining",
                (('understudy_retrain_outcome{model=~"$model"} == 1', "{{model}} {{outcome}}"),),
            ),
            Panel(
                "Headline metric",
                (('understudy_retrain_metric{model=~"$model"}', "{{model}} {{metric}}"),),
            ),
        ),
    ),
)
