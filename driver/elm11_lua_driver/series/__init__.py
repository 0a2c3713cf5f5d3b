"""Two time series from files: cells, tables, dates, and the pair that is analysed."""
