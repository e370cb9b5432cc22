"""Timed messages that tell patients how to get into their video visit."""

__version__ = "0.1.0"
