"""The dashboard: pages and API over the records, behind access control. No PyTorch."""
