"""Public results of ``stag.predict``, ``stag.explain`` and ``stag.evaluate``, with figures and pages."""
