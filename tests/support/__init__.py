"""What the test modules share; `conftest.py` has a glossary."""
