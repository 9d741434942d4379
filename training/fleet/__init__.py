"""Fleets: many trainings of few kinds (a shop each, a car maker each), here or on a Ray cluster."""
