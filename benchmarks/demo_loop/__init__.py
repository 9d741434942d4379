"""The closed loop in one run: traffic drifts, audits show it, a retraining mends it.

``make demo-loop``, or ``python -m benchmarks.demo_loop``. The cars are Auto MPG's: a model learns
American ones of 1970 to 1975, and then clients ask about those of 1978 to 1982 from everywhere,
which go farther on a gallon than nearly all that it has seen.
"""
