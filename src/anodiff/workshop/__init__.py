"""Where the generators work: what turns an order into items, of rows, of spans of series, of pictures."""
