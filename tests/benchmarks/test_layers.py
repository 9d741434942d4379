"""Samples of a profile, by layer."""

from benchmarks.layers import count

SERVE = "handle (gunicorn/workers/gthread.py:1);wsgi_app (flask/app.py:2)"


def test_a_sample_belongs_to_its_innermost_known_frame() -> None:
    samples = count(
        [
            f"{SERVE};predict (service/api/routes/predict.py:3);parse (service/api/codecs/tfserving/predict_requests.py:4) 5",
            f"{SERVE};predict (service/api/routes/predict.py:3);call (service/runtime/servable.py:5);"
            "__call__ (tensorflow/python/client/session.py:6) 7",
            f"{SERVE};dumps (json/__init__.py:8) 2",
            "run (threading.py:9) 1",
            "",
        ]
    )
    assert samples == {
        "parsing and checking": 5,
        "inference": 7,
        "Flask and Werkzeug": 2,
        "other": 1,
    }


def test_threads_that_wait_for_work_are_left_out() -> None:
    waits = "run (threading.py:1);_worker (concurrent/futures/thread.py:81) 100"
    assert count([waits, f"{SERVE} 1"]) == {"Flask and Werkzeug": 1}
