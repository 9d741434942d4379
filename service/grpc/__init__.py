"""TensorFlow Serving's and the Open Inference Protocol's gRPC services, over our own HTTP/2."""
