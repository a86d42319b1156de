"""`sriovctl explain`: one attachment's story, from its Record and the log.

lines: a line of the log to words. logs: which files, and what is in them. subjects: whom the operator means. events: pure,
Record and lines to a timeline. teller: all of them together. show: the table.
"""
