"""Any document for a pipeline: JSON, JUnit, SARIF, GitHub annotations."""
