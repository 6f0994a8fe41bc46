"""From a trained model and motion to its answer."""
