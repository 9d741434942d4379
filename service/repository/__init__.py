"""What a version of a model is, on disk.

No TensorFlow and no Flask here: this is the one part of the service that ``training`` imports,
so that what is published is exactly what will be read.
"""
