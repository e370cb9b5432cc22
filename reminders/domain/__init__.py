"""What the program decides, as values: no SQL, no input or output, no clock."""
