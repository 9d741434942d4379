"""Whether live rows and answers still look like those that a version was measured with."""
