"""Bodies as people have them: a picture, a text, a CSV file, a numpy array, a form of several.

Which of them a model takes follows from its contract (service/api/codecs/media/content_types.py).
They are answered as ``instances`` in JSON are: ``{"predictions": [...]}``, one for each file or
row.
"""
