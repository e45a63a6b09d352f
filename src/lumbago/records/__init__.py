"""What is kept: patients, studies, findings, reviews, users, jobs, files, the audit trail; SQLite or PostgreSQL."""
