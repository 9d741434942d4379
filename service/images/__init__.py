"""What a picture file must be, and how it is prepared, before a graph decodes it.

The service prepares the files of requests with it, and the trainer the files of own data: a
network learns from what it will be asked about, and the two cannot drift apart. Nothing here
knows TensorFlow or HTTP.
"""
