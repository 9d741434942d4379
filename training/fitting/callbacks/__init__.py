"""What watches a training between its batches and epochs, as Keras callbacks."""
