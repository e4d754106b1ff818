def fit_record(f): return {}
