"""Self-contained HTML pages: predictions, runs, studies, the player."""
