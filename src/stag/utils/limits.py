"""Limits on what is read, so that no file can exhaust the memory, whatever its header claims."""

FRAMES = 4000  # of a clip: 20 s at 200 fps; of each one a crop of up to 64 KiB is kept
PICTURE_PIXELS = 8192 * 8192  # twice those of an 8K video; more is a mistake or a decompression bomb
ARCHIVE_BYTES = 4 * 1024**3  # of an unpacked motion file: 1.8 million clips of 16 steps and 18 regions
WORKBOOK_BYTES = 1024**3  # of an unpacked workbook
WORKBOOK_CELLS = 2_000_000  # that are not empty; empty ones cost nothing
TEXT_BYTES = 256 * 1024**2  # of a table, settings or a description
CELL_CHARACTERS = 1 << 20  # of one cell of a table
