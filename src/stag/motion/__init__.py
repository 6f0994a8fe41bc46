"""From aligned crops to the motion tensor (Eq. 8-11)."""
