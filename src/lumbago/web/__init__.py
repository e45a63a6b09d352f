"""The dashboard: pages, API, and who may see them."""
