"""Forward models: raw-like data from stated assumptions. They import no analysis, so that
recovering their input proves something."""
