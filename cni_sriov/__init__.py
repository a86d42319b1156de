"""SR-IOV virtual functions for containers."""

__version__ = "0.1.0"
