"""Texts to words."""

import tensorflow as tf

from training.preprocessing.text import words


def test_words() -> None:
    text = tf.constant([b"It's GOOD!<br/>\xc3\x89t\xc3\xa9, 10/10?", b"", b"\xffa\xffb"])
    split = [[word.decode() for word in row] for row in words(text, 100).to_list()]
    assert split == [["it's", "good", "!", "été", "10", "10", "?"], [], ["a", "b"]]
    assert words(text, 4).to_list()[0] == [b"it's"]
