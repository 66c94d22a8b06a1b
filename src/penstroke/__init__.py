"""The host: driver, safety, procedure and command line for microneedling pens."""
