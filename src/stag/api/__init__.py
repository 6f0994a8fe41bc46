"""The public results: what ``stag.predict``, ``stag.explain`` and ``stag.evaluate`` return, able to draw themselves."""
