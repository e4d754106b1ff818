"""One picture a topic: what 95 % intervals cover, by quantity and kind of noise."""


def save(path, topic, rows):
    pass
