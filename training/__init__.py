"""Understudy's offline half: trains models and publishes them as versions that the service takes.

Of the service it imports ``service.repository`` and ``service.images`` alone, so that what is
published is exactly what will be read. The command line above it is ``understudy``. Its packages,
from the one that imports all others to those that all others import::

    workflows              train, retrain, reproduce, inspect: from beginning to end
    tuning, overfitting    many trainings: the search for settings, the comparison of networks
    reporting              reports and plots of a training
    importing              models that were trained elsewhere
    publishing             from a trained network to a version that serves
    tasks                  the models, one file each
    networks               how they are built, and in which fields they answer
    preprocessing          from raw examples to what a network sees
    fitting                one training run
    data                   standard data sets, and users' own data
    evaluation             how good predictions are, with confidence intervals
    console, errors, array_types
"""
