"""The schemas of responses other than predictions; tests compare them with real ones."""

from typing import Any

from service.api.openapi.field_schemas import Schema
from service.api.openapi.shared_parts import ref

STRING: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
FLAG: Schema = {"type": "boolean"}
ANY_OBJECT: Schema = {"type": "object"}
ANYTHING: Schema = {}


def array(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def by_name(values: Schema) -> Schema:
    """Describe an object whose keys are names of models, signatures or labels."""
    return {"type": "object", "additionalProperties": values}


def an_object(required: dict[str, Any], optional: dict[str, Any] | None = None) -> Schema:
    """Describe an object of keys that are always there, and of some that may be."""
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
    }


NOTHING: Schema = {"type": "object", "properties": {}, "additionalProperties": False}
_STRINGS = array(STRING)
_TENSOR = an_object({"name": STRING, "datatype": STRING, "shape": array(WHOLE)})
_FIELD = an_object(
    {"name": STRING, "dtype": STRING, "shape": {"type": ["array", "null"]}},
    {
        "description": STRING,
        "unit": STRING,
        "minimum": NUMBER,
        "maximum": NUMBER,
        "max_length": WHOLE,
        "example": ANYTHING,
        "choices": array(ANYTHING),
        "content_types": _STRINGS,
        "nullable": {"const": True},
        "sensitive": {"const": True, "description": "Its values are never stored."},
        "has_default": {"const": True, "description": "A request may leave it out."},
        "default": {"description": "What stands for it then, unless that is large."},
    },
)
_SIGNATURE = an_object(
    {
        "inputs": array(_FIELD),
        "outputs": array(_FIELD),
        "batching": an_object({"rows_independent": FLAG, "source": STRING, "reason": STRING}),
    },
    {"rows_independent": FLAG},
)
MODELS = an_object(
    {
        "replica": {**STRING, "description": "The name of the replica that answers."},
        "models": array(
            an_object(
                {
                    "name": STRING,
                    "version": {"type": ["string", "null"]},
                    "labels": by_name(WHOLE),
                    "versions": array(
                        an_object({"version": STRING, "state": STRING, "reason": STRING})
                    ),
                    "policy_problem": STRING,
                },
                {
                    "stuck": {
                        **_STRINGS,
                        "description": "The signatures whose predictions do not return.",
                    },
                    "precision": {
                        **an_object({"stated": STRING, "used": STRING, "reason": STRING}),
                        "description": "What it multiplies in, and why not in what it states.",
                    },
                    "signatures": by_name(_SIGNATURE),
                    "left_out": {
                        **by_name(STRING),
                        "description": "Why the other signatures cannot be served.",
                    },
                    "events": {
                        **an_object(
                            {"rate": NUMBER},
                            {
                                "errors": NUMBER,
                                "unsure": an_object(
                                    {"output": STRING, "between": array(NUMBER), "rate": NUMBER}
                                ),
                            },
                        ),
                        "description": "Which predictions are stored; absent where none are.",
                    },
                    "title": STRING,
                    "description": STRING,
                    "evaluation": by_name(ANYTHING),
                },
            )
        ),
        "ignored": {
            **array(an_object({"path": STRING, "reason": STRING})),
            "description": "What lies in the folder of models and is not served.",
        },
    }
)
FEEDBACK = an_object(
    {
        "feedback": {
            **array(
                an_object(
                    {
                        "id": {**STRING, "description": "The prediction's X-Request-Id."},
                        "truth": {
                            "description": "Outputs by name, or the value of the first output."
                        },
                    },
                    {
                        "row": {"type": "integer", "minimum": 0, "default": 0},
                        "source": {"enum": ["user", "audit"], "default": "user"},
                    },
                )
            ),
            "minItems": 1,
            "maxItems": 1000,
        }
    }
)
FEEDBACK_RESULT = an_object(
    {
        "stored": WHOLE,
        "corrected": WHOLE,
        "unchanged": WHOLE,
        "not_sampled": {**_STRINGS, "description": "The ids of predictions that are not stored."},
    }
)
AUDITS = an_object(
    {
        "audits": array(
            an_object(
                {"id": STRING, "row": WHOLE, "signature": STRING, "inputs": by_name(ANYTHING)}
            )
        )
    }
)
LIVE = an_object({"status": STRING})
READY = an_object(
    {"status": STRING},
    {
        "metrics": {**STRING, "description": "That some cannot be counted, where it is so."},
        "stuck": {
            **by_name(_STRINGS),
            "description": "The signatures whose predictions do not return, by model.",
        },
    },
)
METADATA = an_object(
    {
        "model_spec": an_object({"name": STRING, "signature_name": STRING, "version": STRING}),
        "metadata": an_object({"signature_def": an_object({"signature_def": by_name(ANY_OBJECT)})}),
    }
)
POLICY = ref("schemas", "Policy")
STATUS = ref("schemas", "ModelStatus")
ROLLOUT_REQUEST = an_object({"candidate": WHOLE}, {"rules": ANY_OBJECT})
ROLLOUT = an_object(
    {
        "state": STRING,
        "sentence": STRING,
        "reason": STRING,
        "held": FLAG,
        "decisions": array(ANY_OBJECT),
    },
    {
        "evidence": {**_STRINGS, "description": "What the stages have shown, in sentences."},
        "champion": WHOLE,
        "candidate": {"type": ["integer", "null"]},
        "percent": {"type": "number"},
        "rules": ANY_OBJECT,
        "stages": array(ANY_OBJECT),
        "quality": {
            "type": ["object", "null"],
            "description": "What audits of rows that both versions answered say of them.",
        },
        "earlier": array(ANY_OBJECT),
    },
)
DOCUMENT = an_object(
    {
        "openapi": STRING,
        "info": ANY_OBJECT,
        "paths": by_name(ANY_OBJECT),
        "components": by_name(ANY_OBJECT),
        "tags": array(an_object({"name": STRING, "description": STRING})),
    }
)
ROOT = an_object(
    {
        "name": STRING,
        "version": STRING,
        "status": {"const": "alive"},
        "models": _STRINGS,
        "endpoints": by_name(STRING),
    }
)
V2_SERVER = an_object({"name": STRING, "version": STRING, "extensions": _STRINGS})
V2_LIVE = an_object({"live": FLAG})
V2_READY = an_object({"ready": FLAG})
V2_MODELS = an_object({"models": _STRINGS})
V2_MODEL_READY = an_object({"name": STRING, "ready": FLAG})
V2_METADATA = an_object(
    {
        "name": STRING,
        "versions": _STRINGS,
        "platform": STRING,
        "inputs": array(_TENSOR),
        "outputs": array(_TENSOR),
    }
)
V2_ANSWER = an_object(
    {
        "model_name": STRING,
        "model_version": STRING,
        "outputs": array(
            an_object(
                {"name": STRING, "datatype": STRING, "shape": array(WHOLE)},
                {"data": {"type": "array"}, "parameters": an_object({"binary_data_size": WHOLE})},
            )
        ),
    },
    {"id": STRING},
)
INDEX = array(an_object({"name": STRING, "version": STRING, "state": STRING, "reason": STRING}))
TRACES = an_object(
    {
        "trace_file": STRING,
        "trace_level": _STRINGS,
        "trace_rate": STRING,
        "trace_count": STRING,
        "log_frequency": STRING,
        "trace_mode": STRING,
    }
)
LOGS = an_object(
    {
        "log_file": STRING,
        "log_info": FLAG,
        "log_warnings": FLAG,
        "log_errors": FLAG,
        "log_verbose_level": WHOLE,
        "log_format": STRING,
    }
)
_DURATION = an_object({"count": WHOLE, "ns": WHOLE})
_PHASES = ("queue", "compute_input", "compute_infer", "compute_output", "cache_hit", "cache_miss")
STATISTICS = an_object(
    {
        "model_stats": array(
            an_object(
                {
                    "name": STRING,
                    "version": STRING,
                    "last_inference": WHOLE,
                    "inference_count": WHOLE,
                    "execution_count": WHOLE,
                    "inference_stats": an_object(
                        dict.fromkeys(("success", "fail", *_PHASES), _DURATION)
                    ),
                    "batch_stats": array(
                        an_object(
                            {
                                "batch_size": WHOLE,
                                "compute_input": _DURATION,
                                "compute_infer": _DURATION,
                                "compute_output": _DURATION,
                            }
                        )
                    ),
                }
            )
        )
    }
)
_OR_NULL: Schema = {"type": ["number", "null"]}
_INTERVAL = an_object({"value": _OR_NULL, "low": NUMBER, "high": NUMBER})
_QUALITY = an_object(
    {"state": {"enum": ["worse", "not worse", "open", "unknown"]}, "sentence": STRING},
    {
        "metric": {"enum": ["error rate", "mean absolute error"]},
        "unit": STRING,
        "audits": WHOLE,
        "live": _INTERVAL,
        "card": _INTERVAL,
        "tolerance": {**NUMBER, "description": "By so much it may be worse, in the unit."},
        "largest_error": {**NUMBER, "description": "What a larger error counts as, in the unit."},
    },
)
DRIFT = an_object(
    {
        "model": STRING,
        "version": STRING,
        "state": {"enum": ["off", "no reference", "waiting", "no drift", "drift"]},
        "sentence": STRING,
        "quality": _QUALITY,
        "fields": array(
            an_object(
                {
                    "field": STRING,
                    "evidence": NUMBER,
                    "recent_rows": NUMBER,
                    "jensen_shannon_distance": _OR_NULL,
                    "psi": _OR_NULL,
                    "psi_by_chance": {
                        **_OR_NULL,
                        "description": "What the PSI exceeds in 1 % of cases without drift.",
                    },
                    "sentence": STRING,
                    "bins": array(an_object({"bin": STRING, "reference": NUMBER, "live": NUMBER})),
                }
            )
        ),
    },
    {
        "evidence": {**NUMBER, "description": "The mean over all fields."},
        "alarm_at": NUMBER,
        "blocks": WHOLE,
        "rows": WHOLE,
        "reference": an_object({"rows": WHOLE, "origin": STRING, "held_out": FLAG}),
        "expected_accuracy": an_object(
            {
                "live": {
                    "anyOf": [
                        an_object({"value": NUMBER, "low": NUMBER, "high": NUMBER, "rows": WHOLE}),
                        {"type": "null"},
                    ]
                },
                "reference": NUMBER,
                "blind_to": STRING,
            }
        ),
    },
)
_CONFIG_TENSOR = {
    "name": STRING,
    "data_type": STRING,
    "dims": array(WHOLE),
    "is_shape_tensor": FLAG,
}
_RESHAPE = {"reshape": an_object({"shape": array(WHOLE)})}
CONFIG = an_object(
    {
        "name": STRING,
        "platform": STRING,
        "backend": STRING,
        "runtime": STRING,
        "version_policy": an_object({}, {"specific": ANY_OBJECT, "latest": ANY_OBJECT}),
        "max_batch_size": WHOLE,
        "input": array(
            an_object(
                {**_CONFIG_TENSOR, "format": STRING, "allow_ragged_batch": FLAG, "optional": FLAG},
                _RESHAPE,
            )
        ),
        "output": array(an_object({**_CONFIG_TENSOR, "label_filename": STRING}, _RESHAPE)),
        "batch_input": array(ANYTHING),
        "batch_output": array(ANYTHING),
        "instance_group": array(ANY_OBJECT),
        "default_model_filename": STRING,
        "cc_model_filenames": by_name(STRING),
        "metric_tags": by_name(STRING),
        "parameters": by_name(ANY_OBJECT),
        "model_warmup": array(ANYTHING),
        "model_transaction_policy": ANY_OBJECT,
    },
    {"dynamic_batching": ANY_OBJECT},
)
