"""Limits on what is read, so that no file can exhaust the memory, whatever its header claims."""

FRAMES = 4000  # of a clip: 20 s at 200 fps; of each one a crop of up to 64 KiB is kept
PICTURE_PIXELS = 8192 * 8192  # twice those of an 8K video; more is a mistake or a decompression bomb
ARCHIVE_BYTES = 4 * 1024**3  # of an unpacked motion file: 1.8 million clips of 16 steps and 18 regions
WORKBOOK_BYTES = 256 * 1024**2  # of an unpacked workbook
WORKBOOK_ELEMENTS = 8_000_000  # of its XML; a cell has two or three
TABLE_CELLS = 2_000_000  # of a table or all sheets of a workbook, those with text; a row of a text table counts as one
TABLE_BYTES = 64 * 1024**2  # of a text table
CELL_CHARACTERS = 1 << 20  # of one cell of a table
