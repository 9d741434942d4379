"""From raw examples to what a network sees: pictures, texts and cars."""
