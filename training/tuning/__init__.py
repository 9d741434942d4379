"""The search for better settings: a study in a database, its workers, their supervisor."""
