"""Attribution of a class score to channels and time, and scores of the methods."""
