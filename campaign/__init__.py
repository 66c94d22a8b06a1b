"""The safety campaign: faults in numbers against the whole stack, each part by one command and a seed.

Development only, as `bench`. A part is one file; `python -m campaign PART --seed N` runs it again, the same
way. What the parts have in common is in `orders.py` and `hosts.py`.
"""
