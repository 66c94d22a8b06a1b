"""The mutation gate: would a test notice if this line were wrong? `python -m mutants` at the top of the tree.

Strategy: cosmic-ray's operators make the mutants, each one small change in the source. Each is put into a
copy of the tree, and tests chosen for its module are run there in a process of its own, until one fails. A
mutant that no test notices must be explained in `survivors.toml`, with the reason why it changes nothing.

A gate can lie, so canaries come first (`gate.py`): a change that changes nothing must survive, those that
break the interpreter or hang must count once each, and in every module one that no test can miss must be
noticed. What was not run is a figure of its own, and never counts as killed.
"""
