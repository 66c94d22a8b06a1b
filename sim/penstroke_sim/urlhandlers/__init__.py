"""pyserial's handlers of URLs; named to it through `serial.protocol_handler_packages`."""
