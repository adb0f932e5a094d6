def compile(*a, **k): raise NotImplementedError
def evaluate(*a, **k): raise NotImplementedError
