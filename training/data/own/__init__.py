"""Data that a user brings: read, bad rows counted, divided into training and test rows.

One module a kind: ``image_folder``, ``text_file``, ``car_table``. Each returns what the standard
data sets are parsed into, so that nothing behind this package knows the difference.
"""
