"""Started as TensorFlow Serving is: by its flags, and by its image's environment."""
