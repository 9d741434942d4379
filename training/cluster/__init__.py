"""A cluster of machines, for what is many trainings: fleets and tunings."""
