"""The chart's values: what they change, which are refused in words, and what describes them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from service.settings.settings import Settings
from tests.deploy.kubernetes.rendering import (
    CHART,
    Manifest,
    charted,
    documents,
    of_kind,
    pods,
    run,
    template,
)
from tests.deploy.kubernetes.schemas import problems
from tools.kubernetes.build import SETTLED, built

SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
JOB = 'retraining.jobs=[{"name": "%s", "model": "mpg", "schedule": "%s"}]'


def test_helm_finds_nothing_wrong() -> None:
    result = run("helm", "lint", "--strict", CHART)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["replica=3"], "additional properties 'replica' not allowed"),
        (["replicas=two"], "'/replicas': got string, want integer"),
        (["models.source=bucket"], "'/models/source': value must be one of 'image', 'volume', 'objectStore'"),
        (["models.source=objectStore"], "models.objectStore.url: Expected the store's URL, such as s3://bucket/models"),
        (["models.objectStore.url=s3://b/m"], "models.source: Expected objectStore, since models.objectStore.url is set, not image."),
        (["settings.UNDERSTUDY_MAX_ROW=5"], "'/settings': additional properties 'UNDERSTUDY_MAX_ROW' not allowed"),
        (["settings.UNDERSTUDY_MAX_ROWS=5"], "'/settings/UNDERSTUDY_MAX_ROWS': got number, want string"),
        (["settings.UNDERSTUDY_LOG_FORMAT=xml"], "value must be one of 'auto', 'json', 'text'"),
        (["extraEnv[0].name=PORT"], "extraEnv: PORT is a variable of the service"),
        (["autoscaling.enabled=true", "autoscaling.maxReplicas=1"], "autoscaling.minReplicas: Expected at most maxReplicas, 1, not 2."),
        (["autoscaling.enabled=true", "autoscaling.requestsInFlight=0", "autoscaling.cpuPercent=0"], "Expected requestsInFlight or cpuPercent above 0"),
        (["models.volume.existingClaim=shared"], "models.source: Expected volume, since models.volume.existingClaim is set, not image."),
        (["fullnameOverride=a.b"], "'/fullnameOverride': 'a.b' does not match pattern"),
        (["nameOverride=a.b"], 'fullnameOverride: Expected a name that Services can have'),
        (["image.tag=sha256:abc"], "'/image/tag': 'sha256:abc' does not match pattern"),
        (["image.repository=a: b"], "'/image/repository': 'a: b' does not match pattern"),
        (["podDisruptionBudget.maxUnavailable=0"], "minimum: got 0, want 1"),
    ],
)  # fmt: skip
def test_wrong_values_are_refused_in_words(arguments: list[str], words: str) -> None:
    result = template(*(part for each in arguments for part in ("--set", each)))
    assert result.returncode != 0
    assert words in result.stderr


@pytest.mark.parametrize("release", ["7", "my.release"])
def test_a_release_whose_name_services_cannot_have_is_refused(release: str) -> None:
    result = template(release=release)
    assert result.returncode != 0
    assert f'since the release\'s makes "{release}-understudy".' in result.stderr


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"UNDERSTUDY_KEYS_FOR_READS": "true"}, "keys.secretName: Expected the secret with keys"),
        ({"UNDERSTUDY_ALLOWED_HOSTS": "a.example"}, "Expected none, since monitoring.enabled lets"),
    ],
)
def test_settings_that_contradict_other_values_are_refused_in_words(
    settings: dict[str, str], words: str
) -> None:
    value = f"settings={json.dumps(settings)}"
    result = template("--set", "monitoring.enabled=true", "--set-json", value)
    assert result.returncode != 0
    assert words in result.stderr


@pytest.mark.parametrize(
    ("job", "words"),
    [
        (JOB % ("a_b", "0 3 * * *"), "'/retraining/jobs/0/name': 'a_b' does not match"),
        (JOB % ("mpg", "nightly"), "'/retraining/jobs/0/schedule': 'nightly' does not match"),
        (JOB % ("mpg", "0 3 * * *"), "models.source: Expected volume or objectStore"),
        (
            'retraining.jobs=[{"name": "a", "model": "mpg", "schedule": "@daily"},'
            ' {"name": "a", "model": "churn", "schedule": "@daily"}]',
            "retraining.jobs: Expected a name of its own for each job, not a twice.",
        ),
    ],
)
def test_wrong_jobs_are_refused_in_words(job: str, words: str) -> None:
    result = template("--set-json", job)
    assert result.returncode != 0
    assert words in result.stderr


EVERYTHING = """
imagePullSecrets: [{name: registry}]
image: {repository: registry.example/understudy, tag: "7", pullPolicy: Always}
replicas: 3
models: {source: volume, volume: {existingClaim: shared, readOnly: false}}
secretName: tokens
keys: {secretName: api-keys}
settings: {UNDERSTUDY_WORKERS: "3", UNDERSTUDY_MAX_BODY_BYTES: "33554432", UNDERSTUDY_LOAD_WAIT_S: "299.5"}
extraEnv: [{name: OTEL_SERVICE_NAME, value: shop}]
shutdown: {preStopS: 10, lameDuckS: 7.5, drainS: 60}
serviceAccount: {annotations: {role: reader}}
service: {type: LoadBalancer, annotations: {internal: "true"}}
podDisruptionBudget: {maxUnavailable: 25%}
networkPolicy: {egress: [{ports: [{port: 5432}]}]}
monitoring: {enabled: true, namespace: prometheus, labels: {release: stack}}
retraining:
  jobs:
    - {name: a, model: mpg, schedule: "@daily", args: [--feedback, --rollout], timeZone: Europe/Berlin}
    - {name: b, model: churn, schedule: "*/5 1-4 * * 1,2"}
  storageClass: fast
podAnnotations: {note: here}
nodeSelector: {disk: ssd}
tolerations: [{key: dedicated, operator: Exists}]
priorityClassName: high
"""


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> list[Manifest]:
    """The manifests with a value changed wherever there is one, in a release of another name."""
    file = tmp_path_factory.mktemp("values") / "values.yaml"
    file.write_text(EVERYTHING)
    return documents(template("--values", file, release="a-release-with-a-name-that-is-long"))


def test_every_value_has_its_effect(changed: list[Manifest]) -> None:
    for each in changed:
        assert problems(each) == [], each["metadata"]
    deployment = next(of_kind("Deployment", changed))
    pod = deployment["spec"]["template"]["spec"]
    container = pod["containers"][0]
    env = {
        each["name"]: each.get("value") or each["valueFrom"]["secretKeyRef"]["name"]
        for each in container["env"]
    }
    assert deployment["spec"]["replicas"] == 3
    assert container["image"] == "registry.example/understudy:7"
    # As it was written, and not as 3.3554432e+07.
    assert env["UNDERSTUDY_MAX_BODY_BYTES"] == "33554432"
    assert env["UNDERSTUDY_ADMIN_TOKEN"] == "tokens"
    assert env["OTEL_SERVICE_NAME"] == "shop"
    assert env["UNDERSTUDY_LAME_DUCK_S"] == "7.5"
    # 10 + 7.5 + 60 + 3 + 7, rounded up.
    assert pod["terminationGracePeriodSeconds"] == 88
    assert container["startupProbe"]["failureThreshold"] * 2 == 2 * 300 + 60
    assert pod["nodeSelector"] == {"disk": "ssd"}
    assert pod["priorityClassName"] == "high"
    mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
    assert "readOnly" not in mounts["models"]
    claims = {each["metadata"]["name"] for each in of_kind("PersistentVolumeClaim", changed)}
    assert not any("models" in claim for claim in claims)
    policies = {
        each["metadata"]["name"]: each["spec"] for each in of_kind("NetworkPolicy", changed)
    }
    assert (
        sum({"ports": [{"port": 5432}]} in policy.get("egress", ()) for policy in policies.values())
        == 2
    )
    for kind in ("ServiceMonitor", "PrometheusRule"):
        assert next(of_kind(kind, changed))["metadata"]["labels"]["release"] == "stack"
    jobs = [each["spec"] for each in of_kind("CronJob", changed)]
    assert [job["timeZone"] for job in jobs] == ["Europe/Berlin", "Etc/UTC"]
    arguments = [
        job["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["args"] for job in jobs
    ]
    assert arguments == [["mpg", "--feedback", "--rollout"], ["churn"]]


def test_names_are_as_long_as_kubernetes_lets_them_be(changed: list[Manifest]) -> None:
    names = [each["metadata"]["name"] for each in changed]
    assert all(len(name) <= 63 and not name.startswith("understudy") for name in names)
    # A job adds 11 characters.
    assert all(len(each["metadata"]["name"]) <= 52 for each in of_kind("CronJob", changed))
    longest = next(of_kind("CronJob", changed))["metadata"]["name"].removesuffix("a") + 10 * "a"
    assert len(longest) <= 52


def test_no_value_is_left_out_of_what_is_tried() -> None:
    tried = yaml.safe_load(EVERYTHING)
    elsewhere = {"global", "nameOverride", "fullnameOverride", "resources", "autoscaling"}
    assert tried.keys() == SCHEMA["properties"].keys() - elsewhere


def test_names_can_be_given() -> None:
    manifests = documents(template("--set", "fullnameOverride=shop,nameOverride=models"))
    assert {each["metadata"]["name"] for each in manifests} == {"shop", "shop-grpc"}
    labels = next(pods(manifests))["metadata"]["labels"]
    assert labels["app.kubernetes.io/name"] == "models"


def test_names_that_yaml_takes_for_something_else_stay_texts() -> None:
    texts = (
        *("models.source=volume", "models.volume.existingClaim=123", "keys.secretName=1e3"),
        *("secretName=null", "priorityClassName=true", "monitoring.namespace=0x1f"),
        *("fullnameOverride=on", "nameOverride=12"),
    )
    given = (part for text in texts for part in ("--set-string", text))
    flags = ("--set", "monitoring.enabled=true")
    job = 'retraining.jobs=[{"name": "a", "model": "1", "schedule": "@daily", "timeZone": "no"}]'
    manifests = documents(template(*given, *flags, "--set-json", job, release="true"))
    for each in manifests:
        assert problems(each) == [], each["metadata"]
    labels = next(pods(manifests))["metadata"]["labels"]
    assert labels["app.kubernetes.io/instance"] == "true"


def test_policies_can_be_left_to_the_cluster() -> None:
    manifests = documents(template("--set", "networkPolicy.enabled=false"))
    assert {each["kind"] for each in charted()} - {each["kind"] for each in manifests} == {
        "NetworkPolicy"
    }


def objects(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each part of a schema with its place."""
    yield path, schema
    for name, part in schema.get("properties", {}).items():
        yield from objects(part, f"{path}.{name}")
    if "items" in schema:
        yield from objects(schema["items"], f"{path}[]")


def test_the_schema_describes_every_value_and_lets_no_other_in() -> None:
    # What is Kubernetes' own: texts by name, and lists of its objects.
    free = {
        ".global",
        ".networkPolicy.from[]",
        ".networkPolicy.egress[]",
        ".tolerations[]",
        ".extraEnv[]",
    }
    for path, part in objects(SCHEMA):
        if part.get("type") == "object":
            assert "additionalProperties" in part or path in free, path
        if path and not path.endswith("[]") and path != ".extraEnv[].name":
            assert part["description"], path


def test_the_schema_knows_the_values_that_there_are() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())

    def leaves(value: Any, path: str = "") -> Iterator[str]:
        if isinstance(value, dict) and value and path not in (".networkPolicy.from",):
            for name, part in value.items():
                yield from leaves(part, f"{path}.{name}")
        else:
            yield path

    described = {path for path, part in objects(SCHEMA)}
    below = ("requests", "limits")
    assert {path for path in leaves(values) if path.split(".")[-2] not in below} <= described


def test_every_setting_can_be_set_or_is_settled() -> None:
    settings = {variable.name for variable, _ in Settings.table()}
    assert settings >= SETTLED
    assert SCHEMA["properties"]["settings"]["properties"].keys() == settings - SETTLED


def test_what_is_made_of_other_files_is_as_they_are() -> None:
    for path, text in built().items():
        assert path.read_text() == text, (
            f"{path} is old; python -m tools.kubernetes.build writes it"
        )


def test_the_alerts_are_those_of_the_rules() -> None:
    rules = yaml.safe_load((CHART.parents[1] / "prometheus" / "rules.yml").read_text())
    rule = next(of_kind("PrometheusRule", charted("production")))
    assert rule["spec"] == rules
