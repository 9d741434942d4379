"""The data of a training: what each data set is, where it is found, how it is divided."""
