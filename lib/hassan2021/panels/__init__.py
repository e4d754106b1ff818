"""The paper's panels as data: what each shows, of which samples, with which drawer."""
