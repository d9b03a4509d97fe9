def demonstrate(folder): pass
