"""The simulator: face clips in which action units fire, with everything known exactly."""
