"""One reader for each data set, and what they share: folders, sheets, key frames, repairs."""
