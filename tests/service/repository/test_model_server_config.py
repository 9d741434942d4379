"""TensorFlow Serving's file of models: what it says, and what is wrong with one, by its place."""

import pytest

from service.repository.errors import RepositoryError
from service.repository.model_policy import Policy
from service.repository.model_server_config import ModelConfig, parse_model_configs

# As in TensorFlow Serving's documentation, with the spellings that protobuf's text format has.
WRITTEN = b"""
# Two models.
model_config_list: {
  config: {
    name: "half",
    base_path: "/models/half",
    model_platform: "tensorflow",
    model_version_policy: { specific: { versions: 42 versions: 43 } }
    version_labels { key: "stable" value: 42 }
    version_labels { key: 'canary', value: 43 }
  }
  config < name: "text" base_path: "file:///srv/text" model_type: TENSORFLOW >
}
"""


def one(text: str) -> ModelConfig:
    text = f'model_config_list {{ config {{ name: "m" base_path: "/m" {text} }} }}'
    return parse_model_configs(text.encode(), "models.config")["m"]


def test_a_file_as_it_is_written_for_tensorflow_serving() -> None:
    found = parse_model_configs(WRITTEN, "models.config")
    assert {name: str(each.base_path) for name, each in found.items()} == {
        "half": "/models/half",
        "text": "/srv/text",
    }
    assert found["half"].policy == Policy(versions=(42, 43), labels={"stable": 42, "canary": 43})
    assert found["text"].policy is None


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("", None),
        ("model_version_policy { latest { } }", Policy(latest=1)),
        ("model_version_policy { latest { num_versions: 0 } }", Policy(latest=1)),
        ("model_version_policy { latest { num_versions: 2 } }", Policy(latest=2)),
        ("model_version_policy { specific { versions: [7, 0] } }", Policy(versions=(7, 0))),
        ('version_labels { key: "a" value: 7 }', Policy(labels={"a": 7})),
    ],
)
def test_policies_and_labels(text: str, policy: Policy | None) -> None:
    assert one(text).policy == policy


def test_all_versions_are_as_many_as_there_are() -> None:
    policy = one("model_version_policy { all {} }").policy
    assert policy is not None
    assert policy.select(range(1000)) == list(range(1000))


def test_the_file_has_the_say_on_versions_and_labels_alone() -> None:
    own = Policy(versions=(1,), labels={"x": 1}, keep=3, allow_operations=("ReadFile",))
    assert one("").over(own) == own
    expected = Policy(latest=2, keep=3, allow_operations=("ReadFile",))
    assert one("model_version_policy { latest { num_versions: 2 } }").over(own) == expected


def test_what_has_no_effect_is_named() -> None:
    assert one('logging_config { log_collector_config { type: "x" } }').ignored == (
        "logging_config",
    )


BASE = 'name: "m" base_path: "/m"'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "models.config: It names no models; expected model_config_list { config { ... } }."),
        ("# nothing", "models.config: It names no models; expected model_config_list { config { ... } }."),
        ("models", 'models.config, line 1, column 1: Message type "ModelServerConfig" has no field named "models".'),
        ("model_config_list {\n  config {\n", 'models.config, line 2, column 10: Expected "}".'),
        ("model_config_list { config {\n nme: 'x' } }", 'models.config, line 2, column 2: Message type "ModelConfig" has no field named "nme".'),
        ("model_config_list { config { name: 3 } }", "models.config, line 1, column 36: Expected string but found: '3'."),
        ("model_config_list { config { name: 'x\n' } }", """models.config, line 1, column 36: String missing ending quote: "'x"."""),
        ('{"model_config_list": []}', "models.config, line 1, column 1: Expected identifier or number, got {."),
        ("custom_model_config { type_url: 'x' }", "models.config: custom_model_config is not supported; list the models in model_config_list."),
        ("model_config_list { config { base_path: '/m' } }", "models.config: config 1: name: It is missing; a model needs a name."),
        ("model_config_list { config { name: 'a/b' } }", "models.config: config 1: name: 'a/b' cannot be named in a request's path: no '/', ':' or control character, and not starting with '.'."),
        ("model_config_list { config { name: 'm' } }", "models.config: config 1 (m): base_path: It is missing; name the folder that holds the versions."),
        ("model_config_list { config { name: 'm' base_path: 'm' } }", "models.config: config 1 (m): base_path: Expected an absolute path such as /models/half, not 'm'."),
        ("model_config_list { config { name: 'm' base_path: 'gs://b/m' } }", "models.config: config 1 (m): base_path: 'gs://b/m' is not on a file system of this machine; mount the storage, or copy the model, and name that folder."),
        (f"model_config_list {{ config {{ {BASE} }} config {{ {BASE} }} }}", "models.config: config 2 (m): There is another model of that name above."),
        (f"model_config_list {{ config {{ {BASE} model_platform: 'caffe' }} }}", """models.config: config 1 (m): model_platform: 'caffe' is not supported; SavedModels of "tensorflow" are served alone."""),
        (f"model_config_list {{ config {{ {BASE} model_type: OTHER }} }}", """models.config: config 1 (m): model_type: OTHER is not supported; SavedModels of "tensorflow" are served alone."""),
        (f"model_config_list {{ config {{ {BASE} model_type: KERAS }} }}", 'models.config, line 1, column 68: Enum type "ModelType" has no value named KERAS.'),
        (f"model_config_list {{ config {{ {BASE} model_type: TENSORFLOW model_platform: 'tensorflow' }} }}", "models.config: config 1 (m): model_type and model_platform are both given; leave model_type out."),
        (f"model_config_list {{ config {{ {BASE} model_version_policy {{ latest {{}} all {{}} }} }} }}", "models.config: config 1 (m): model_version_policy: latest and all exclude each other; keep one."),
        (f"model_config_list {{ config {{ {BASE} model_version_policy {{ specific {{}} }} }} }}", "models.config: config 1 (m): model_version_policy: specific names no versions; expected specific { versions: 1 }."),
        (f"model_config_list {{ config {{ {BASE} model_version_policy {{ specific {{ versions: -1 }} }} }} }}", "models.config: config 1 (m): model_version_policy: specific: -1 is not a version; a version is 0 or above."),
        (f"model_config_list {{ config {{ {BASE} version_labels {{ key: 'a b' }} }} }}", "models.config: config 1 (m): version_labels: 'a b' cannot be a label: letters, digits and _ only."),
        ("{" * 1000, "models.config: It nests messages more than 50 times."),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_place(text: str, message: str) -> None:
    with pytest.raises(RepositoryError) as caught:
        parse_model_configs(text.encode(), "models.config")
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\n\n\xff", "models.config, line 3: It is not text in UTF-8."),
        (b"\n\0", "models.config, line 2: It is not text: it holds a NUL."),
    ],
)
def test_what_is_no_text_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(RepositoryError, match=message):
        parse_model_configs(data, "models.config")
