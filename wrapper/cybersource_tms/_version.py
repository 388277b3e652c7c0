"""The version: in a source checkout the next release's with `.dev0` behind it; a build puts its own here."""

__version__ = "0.1.0.dev0"
