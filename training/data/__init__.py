"""The data of a training: each data set, where its files are, how it is split."""
