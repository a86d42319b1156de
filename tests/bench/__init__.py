"""`make bench`: what a call costs, beside Debian's prebuilt Go plugins on the same work. Read docs/speed.md.

Nothing here is a test, and no test asserts a time.
"""
