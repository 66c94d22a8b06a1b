"""What follows from the declared messages; `firmware_protocol/generate.py` is the command."""
