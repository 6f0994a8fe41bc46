"""Every limit on what is read, in one place: nothing that a file says of itself may cost more than this."""

FRAMES = 4000
"""Frames of a clip: 20 s at 200 fps; of each one a crop of up to 64 KiB is kept."""

PICTURE_PIXELS = 8192 * 8192
"""Pixels of a frame, twice those of an 8K video; more is a mistake or a decompression bomb."""

ARCHIVE_BYTES = 4 * 1024**3
"""What a motion file may unpack to: 1.8 million clips of 16 steps and 18 regions."""

WORKBOOK_BYTES = 1024**3
"""What a workbook may unpack to."""

WORKBOOK_CELLS = 2_000_000
"""Cells of a workbook that hold something; what it claims to hold costs nothing."""

TEXT_BYTES = 256 * 1024**2
"""Size of a table, settings or a description that is read as text."""

CELL_CHARACTERS = 1 << 20
"""Length of one cell of a table."""

UPLOAD_MB = 50
UPLOAD_S = 60.0
UPLOAD_PIXELS = 4096 * 2304
"""What the web page takes: size of the file, length, pixels of a frame."""
