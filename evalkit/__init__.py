"""evalkit: scoring, cost standards and Word reports for publicly funded projects.

Importing the package costs nothing; import the room you need, e.g. ``evalkit.scoring``.
"""

__version__ = "0.1.0"
