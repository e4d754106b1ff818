"""Forward side of the energetics room: geometries, tight-binding energies, outputs as programs write them, crystals counted one by one."""
