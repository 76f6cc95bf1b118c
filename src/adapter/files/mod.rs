//! Records from files: JSON Lines, CSV, TSV, access logs and plain lines.
