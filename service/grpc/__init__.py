"""TensorFlow Serving's and the Open Inference Protocol's gRPC services.

Nothing here may be imported before the fork: gRPC's threads do not survive it.
"""
