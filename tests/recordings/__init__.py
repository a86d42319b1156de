"""Recordings that ship: of nodes that nobody of us has, described in Python (nodes.py), and one of the lab's."""
