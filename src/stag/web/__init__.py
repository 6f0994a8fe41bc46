"""The web page: a clip in, a prediction and its reasons out, on this machine alone."""
