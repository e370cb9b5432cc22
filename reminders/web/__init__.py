"""What is served over HTTP: reports from providers, and the desk."""
