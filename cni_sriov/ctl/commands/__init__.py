"""A file for each verb: what it takes, and its run. What a verb needs is imported when it runs, so that `sriovctl
--help` is quick.
"""
