"""Formats that pipelines read: JSON, JUnit, SARIF and GitHub annotations, each for every kind of document."""
