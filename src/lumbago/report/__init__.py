"""What a reader gets to see: sentences, table, pictures, PDF. Reads findings, and volumes for the pictures."""
