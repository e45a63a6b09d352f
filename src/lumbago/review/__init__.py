"""What readers say about findings: readings, agreement, change over time, and labels made of them."""
