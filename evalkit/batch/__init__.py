"""A project list run as notebooks: jobs, papermill engine, manifest, summary, index page."""
