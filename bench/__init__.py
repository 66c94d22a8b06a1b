"""What penstroke costs, beside what others cost, in one run: `python -m bench` at the top of the repository.

Strategy: the machine's speed drifts and other programs come and go, so a figure alone says little. Subject
and reference take turns in the same run, the ratio is taken turn by turn, and the median is told with the
load of the machine beside it. Nothing here judges: timing is never an assertion in a test.
"""
