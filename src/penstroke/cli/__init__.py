"""The command line. It only talks: everything it does, the library does."""
