"""All manifests: their fields exist, they fit the service and each other, and pods are confined."""

import ast
import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import service
from service.server.graceful_shutdown import timeout_s
from service.settings.settings import Settings
from tests.deploy.kubernetes.rendering import (
    CHART,
    KUSTOMIZE,
    VARIANTS,
    Manifest,
    charted,
    every_manifest,
    kserve,
    kustomized,
    of_kind,
    pods,
    run,
)
from tests.deploy.kubernetes.schemas import problems
from tests.promtool import promtool

KNOWN = {variable.name for variable, _ in Settings.table()}
CLIENTS = CHART.parents[2] / "build" / "clients" / "kserve"
# What the master may take to end after its last worker.
END_S = 7
# Volumes that the standard "restricted" allows.
VOLUMES = {
    *("configMap", "csi", "downwardAPI", "emptyDir"),
    *("ephemeral", "persistentVolumeClaim", "projected", "secret"),
}


@pytest.fixture(scope="module")
def manifests() -> list[Manifest]:
    return every_manifest()


@pytest.fixture(scope="module")
def containers(manifests: list[Manifest]) -> list[Manifest]:
    return [each for pod in pods(manifests) for each in pod["spec"]["containers"]]


def test_all_fields_exist_and_hold_what_they_take(manifests: list[Manifest]) -> None:
    assert len(manifests) > 60
    for each in [*manifests, *pods(kserve())]:
        assert problems(each) == [], (each["kind"], each["metadata"])


def test_a_misspelt_field_is_found() -> None:
    for manifest in [*kustomized("overlays/production"), *kserve()]:
        wrong = copy.deepcopy(manifest)
        wrong.setdefault("spec", {})["misspelt"] = 1
        assert problems(wrong), manifest["kind"]


def broken_rules(pod: Manifest) -> Iterator[str]:
    """Yield which rules of the Pod Security Standard "restricted" a pod breaks."""
    spec = pod["spec"]
    own = spec.get("securityContext", {})
    for name in ("hostNetwork", "hostPID", "hostIPC", "hostUsers"):
        if spec.get(name):
            yield name
    for volume in spec.get("volumes", ()):
        if volume.keys() - {"name"} - VOLUMES:
            yield f"volume {volume['name']}"
    for container in [*spec.get("initContainers", ()), *spec["containers"]]:
        context = {**own, **container.get("securityContext", {})}
        capabilities = context.get("capabilities", {})
        kept = {
            "privileged": not context.get("privileged"),
            "allowPrivilegeEscalation": context.get("allowPrivilegeEscalation") is False,
            "runAsNonRoot": context.get("runAsNonRoot") is True,
            "runAsUser": context.get("runAsUser") != 0,
            "seccompProfile": context.get("seccompProfile", {}).get("type")
            in ("RuntimeDefault", "Localhost"),
            "drop": "ALL" in capabilities.get("drop", ()),
            "add": set(capabilities.get("add", ())) <= {"NET_BIND_SERVICE"},
            "hostPort": not any(port.get("hostPort") for port in container.get("ports", ())),
            # Beyond the standard: nothing can be left in a container.
            "readOnlyRootFilesystem": context.get("readOnlyRootFilesystem") is True,
        }
        yield from (f"{container['name']}: {rule}" for rule, is_kept in kept.items() if not is_kept)


def test_pods_meet_the_standard_restricted(manifests: list[Manifest]) -> None:
    found = list(pods(manifests))
    assert len(found) == 11
    for pod in found:
        assert list(broken_rules(pod)) == []
        if pod["spec"]["containers"][0]["name"] != "kserve-container":
            assert pod["spec"]["automountServiceAccountToken"] is False
            assert pod["spec"]["enableServiceLinks"] is False


def test_a_pod_that_is_open_breaks_all_rules() -> None:
    context = {"privileged": True, "runAsUser": 0, "capabilities": {"add": ["SYS_ADMIN"]}}
    container = {"name": "c", "securityContext": context, "ports": [{"hostPort": 1}]}
    spec = {"hostNetwork": True, "containers": [container]}
    spec["volumes"] = [{"name": "v", "hostPath": {"path": "/"}}]
    assert len(list(broken_rules({"spec": spec}))) == 2 + 9


def test_every_container_has_limits_and_the_same_images(containers: list[Manifest]) -> None:
    for each in containers:
        assert {"cpu", "memory"} <= each["resources"]["limits"].keys()
        assert {"cpu", "memory"} <= each["resources"]["requests"].keys()
    tag = service.__version__
    assert {each["image"] for each in containers} == {
        f"understudy:{tag}",
        f"understudy-trainer:{tag}",
    }
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (tag, tag)


def test_every_variable_is_a_setting(containers: list[Manifest]) -> None:
    used = {variable["name"] for each in containers for variable in each.get("env", ())}
    assert used <= KNOWN
    assert {"MODELS", "UNDERSTUDY_KEYS_FILE", "UNDERSTUDY_MIRROR_FOLDER"} <= used
    for each in containers:
        given = {
            variable["name"]: variable["value"] for variable in each["env"] if "value" in variable
        }
        assert Settings.from_environ(given)


def test_paths_and_ports_exist(manifests: list[Manifest], dockerfile: str) -> None:
    exposed = set(map(int, re.search(r"^EXPOSE (.*)$", dockerfile, re.M)[1].split()))  # type: ignore[index]
    routes = {"/livez", "/readyz", "/metrics"}
    text = "".join(
        path.read_text() for path in (CHART.parents[2] / "service/api/routes").glob("*.py")
    )
    assert all(f'"{route}"' in text for route in routes)
    for pod in pods(manifests):
        container = pod["spec"]["containers"][0]
        ports = {port["name"]: port["containerPort"] for port in container.get("ports", ())}
        assert set(ports.values()) <= exposed
        if container["name"] == "kserve-container":
            assert "--rest_api_port=8080" in container["args"]
            ports = {8080: 8080}
        probes = [container[name]["httpGet"] for name in container if name.endswith("Probe")]
        assert (
            len(probes) == {"understudy": 3, "kserve-container": 1, "retrain": 0}[container["name"]]
        )
        for probe in probes:
            assert probe["path"] in routes
            assert probe["port"] in ports
        if container["name"] == "understudy":
            assert ports == {"http": 8501, "grpc": 8500}
            assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
            assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    for each in of_kind("Service", manifests):
        for port in each["spec"]["ports"]:
            assert port["port"] == {"http": 8501, "grpc": 8500}[port["targetPort"]]
    for each in of_kind("ServiceMonitor", manifests):
        assert [(end["port"], end["path"]) for end in each["spec"]["endpoints"]] == [
            ("http", "/metrics")
        ]


def test_a_pod_that_stops_gets_the_time_that_the_service_takes(manifests: list[Manifest]) -> None:
    for pod in pods(manifests):
        container = pod["spec"]["containers"][0]
        if container["name"] == "retrain":
            continue
        settings = Settings.from_environ({v["name"]: v.get("value", "") for v in container["env"]})
        sleep = container.get("lifecycle", {}).get("preStop", {"sleep": {"seconds": 0}})["sleep"]
        takes = sleep["seconds"] + timeout_s(settings.drain_s, settings.lame_duck_s) + END_S
        # Kubernetes gives 30 s where nothing is said, as KServe does.
        assert pod["spec"].get("terminationGracePeriodSeconds", 30) == takes
        # Clients notice what they are told within it.
        assert settings.lame_duck_s >= container["readinessProbe"]["periodSeconds"]


def test_a_pod_that_starts_gets_the_time_that_the_service_takes(manifests: list[Manifest]) -> None:
    wait = Settings.from_environ({}).load_wait_s
    for pod in pods(manifests):
        probe = pod["spec"]["containers"][0].get("startupProbe")
        if probe:
            # The object store and the models, and half a minute for imports on a slow machine.
            assert probe["periodSeconds"] * probe["failureThreshold"] >= 2 * wait + 30


@pytest.mark.parametrize(("folder", "values"), VARIANTS.items())
def test_selectors_find_what_they_mean(folder: str, values: str) -> None:
    for manifests in (kustomized(folder), charted(values)):
        found = [pod["metadata"]["labels"] for pod in pods(manifests)]
        labels = {each["app.kubernetes.io/component"]: each for each in found}
        selectors = [
            each["spec"]["selector"]["matchLabels"]
            for kind in ("Deployment", "PodDisruptionBudget")
            for each in of_kind(kind, manifests)
        ]
        selectors += [each["spec"]["selector"] for each in of_kind("Service", manifests)]
        assert len(selectors) == 4
        for selector in selectors:
            assert selector.items() <= labels["service"].items()
            # A trainer answers nobody.
            assert not selector.items() <= labels.get("retraining", {}).items()
        for policy in of_kind("NetworkPolicy", manifests):
            selector = policy["spec"]["podSelector"]
            component = selector["matchLabels"].get("app.kubernetes.io/component")
            parts = [component] if component else selector["matchExpressions"][0]["values"]
            assert set(parts) <= {"service", "retraining"}
            common = selector["matchLabels"].items() - {("app.kubernetes.io/component", component)}
            assert common <= labels["service"].items()
        # Prometheus finds each pod once, though there are two Services.
        for monitor in of_kind("ServiceMonitor", manifests):
            selector = monitor["spec"]["selector"]["matchLabels"]
            ports = [
                port["name"]
                for each in of_kind("Service", manifests)
                if selector.items() <= each["metadata"]["labels"].items()
                for port in each["spec"]["ports"]
            ]
            assert sorted(ports) == ["grpc", "grpc", "http"]
            assert [end["port"] for end in monitor["spec"]["endpoints"]] == ["http"]


def test_claims_and_secrets_that_pods_name(manifests: list[Manifest]) -> None:
    for folder in VARIANTS:
        claims = of_kind("PersistentVolumeClaim", kustomized(folder))
        there = {each["metadata"]["name"] for each in claims}
        volumes = [each for pod in pods(kustomized(folder)) for each in pod["spec"]["volumes"]]
        named = {
            each["persistentVolumeClaim"]["claimName"]
            for each in volumes
            if "persistentVolumeClaim" in each
        }
        assert named == there
        # As the file of keys must be: for owner and group alone.
        assert all(each["secret"]["defaultMode"] == 0o440 for each in volumes if "secret" in each)
    # Nothing secret is a value.
    assert not list(of_kind("Secret", manifests))


def test_the_autoscaler_asks_for_what_the_adapter_shows_and_the_service_has() -> None:
    adapter = yaml.safe_load((KUSTOMIZE / "prometheus-adapter.yaml").read_text())["rules"]["custom"]
    metrics = (CHART.parents[2] / "service/monitoring/metric_catalogue.py").read_text()
    scaler = next(of_kind("HorizontalPodAutoscaler", kustomized("overlays/production")))
    asked = [
        each["pods"]["metric"]["name"]
        for each in scaler["spec"]["metrics"]
        if each["type"] == "Pods"
    ]
    assert asked == ["understudy_requests_in_flight"]
    for name in asked:
        assert f'"{name}"' in metrics
        assert [rule["seriesQuery"].partition("{")[0] for rule in adapter] == [name]
    deployment = next(of_kind("Deployment", kustomized("overlays/production")))
    assert "replicas" not in deployment["spec"]
    assert scaler["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]


def test_prometheus_takes_the_adapters_query(tmp_path: Path) -> None:
    rule = yaml.safe_load((KUSTOMIZE / "prometheus-adapter.yaml").read_text())["rules"]["custom"][0]
    filled = {"GroupBy": "pod", "Series": "understudy_requests_in_flight"}
    filled["LabelMatchers"] = 'namespace="a",pod=~"b|c"'
    query = re.sub(r"<<\.(\w+)>>", lambda match: filled[match[1]], rule["metricsQuery"])
    groups = {"groups": [{"name": "adapter", "rules": [{"record": "a:b", "expr": query}]}]}
    rules = tmp_path / "rules.yml"
    rules.write_text(yaml.safe_dump(groups))
    assert "SUCCESS" in promtool("check", "rules", rules)


def test_overlays_are_all_tried() -> None:
    assert {
        f"overlays/{path.name}" for path in (KUSTOMIZE / "overlays").iterdir()
    } == VARIANTS.keys() - {"base"}
    assert run("kubectl", "kustomize", KUSTOMIZE / "components").returncode != 0


def test_the_example_for_kserve_names_the_runtime() -> None:
    runtime, example = kserve()
    model: Any = example["spec"]["predictor"]["model"]
    assert model["runtime"] == runtime["metadata"]["name"]
    formats = [(each["name"], each["version"]) for each in runtime["spec"]["supportedModelFormats"]]
    assert (model["modelFormat"]["name"], model["modelFormat"]["version"]) in formats


# The classes of KServe's client, made of its resources' schemas, and where their fields are used.
KSERVE_CLASSES = {
    "v1alpha1_serving_runtime_spec": ("ClusterServingRuntime", []),
    "v1alpha1_supported_model_format": ("ClusterServingRuntime", ["supportedModelFormats", 0]),
    "v1beta1_predictor_spec": ("InferenceService", ["predictor"]),
    "v1beta1_model_spec": ("InferenceService", ["predictor", "model"]),
    "v1beta1_model_format": ("InferenceService", ["predictor", "model", "modelFormat"]),
}


@pytest.mark.parametrize("name", KSERVE_CLASSES)
def test_kserve_knows_the_fields(name: str) -> None:
    files = list(CLIENTS.glob(f"lib/python3*/site-packages/kserve/models/{name}.py"))
    if not files:
        pytest.skip("KServe's client is not there; make install-clients installs it")
    # Importing it takes seconds.
    known = re.search(r"attribute_map = ({.*?})", files[0].read_text(), re.S)
    kind, place = KSERVE_CLASSES[name]
    part: Any = next(of_kind(kind, kserve()))["spec"]
    for step in place:
        part = part[step]
    assert known is not None
    assert part.keys() <= set(ast.literal_eval(known[1]).values())
