"""Whether made anomalies help to find real ones."""
