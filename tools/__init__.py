"""What builds the project; none of it runs where models are served or trained."""
