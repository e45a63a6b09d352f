"""Images in: files to headers, headers to series, series to volumes in patient millimetres."""
