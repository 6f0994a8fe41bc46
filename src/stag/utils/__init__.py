"""Files, processes, tables, cells and values: nothing here knows of faces."""
